"""A question in people's words, and the list that answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError
from .query import Catalogue, Query
from .query_parsing import Asked, ask_history, known_genres, user_index


@dataclass(frozen=True)
class Recommendation:
    """One item of an answer: the score it is ordered by, and the stars predicted; None where nothing predicts stars."""

    id: str
    title: str
    genres: list[str]
    score: float
    stars: float | None


@dataclass(frozen=True)
class Answer:
    """Items, best first, and what was noticed about the question."""

    items: list[Recommendation]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """What was asked, in people's words; see `recommend`."""

    user: str | None
    history: Sequence[str]
    prefer: Sequence[str]
    genre: Sequence[str]
    top: int
    skip_unknown: bool

    def asked(
        self,
        names: Catalogue,
        items: Sequence[dict[str, Any]],
        rating_range: Sequence[float],
        of_user: Callable[[int], Query],
    ) -> Asked:
        """The query it means, and what was noticed; `of_user` makes the query of a known user."""
        if self.user is not None:
            asked = Asked(of_user(user_index(self.user, names.users)))
        else:
            titles = [item["title"] for item in items]
            asked = ask_history(self.history, self.prefer, names, titles, rating_range, skip_unknown=self.skip_unknown)
        return replace(asked, query=replace(asked.query, genres=known_genres(self.genre, names.genres)))


def check_top(top: int, most: int, what: str) -> None:
    if not 1 <= top <= most:
        raise InputError("--top", expected=f"1 to {most}, {what}", given=top, do="choose another")


def make_answer(
    items: Sequence[dict[str, Any]], ids: np.ndarray, scores: np.ndarray, stars: np.ndarray | None, notes: list[str]
) -> Answer:
    known = [None] * len(ids) if stars is None else [float(value) for value in stars]
    found = [
        Recommendation(items[i]["id"], items[i]["title"], items[i]["genres"], float(score), star)
        for i, score, star in zip(ids.tolist(), scores, known, strict=True)
    ]
    return Answer(found, notes)
