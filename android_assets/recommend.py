"""Recommendations from a bundle, as the app would make them, or from a run, as the server would."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmarks.queries import HeldOut
from ..benchmarks.query_inputs import Catalogue, Query
from ..benchmarks.reference import ask
from ..convert.graphs import DEFAULT_K, STARS_WEIGHT
from ..train.artifacts import Run, open_run
from ..train.errors import InputError
from ..train.metrics import top_k
from ..train.replacing import while_unchanged
from .asking import Asked, ask_history, known_genres, user_index
from .verify import opened_bundle


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


def recommend(
    where: Path,
    *,
    user: str | None = None,
    history: Sequence[str] = (),
    prefer: Sequence[str] = (),
    genre: Sequence[str] = (),
    top: int = 10,
    skip_unknown: bool = False,
    keys: Sequence[Path] = (),
) -> Answer:
    """Recommend for a known user, or for a history and preferences; what was watched is left out.

    Args:
        where: a bundle, folder or zip (answered by its models on an installed phone runtime), or a run (by its SavedModels).
        user: an id from the user vocabulary; with a run, their training history is what was watched.
        history: `TITLE` or `TITLE=STARS`, oldest first.
        prefer: declared preferences, such as a genre.
        genre: genres the answer is narrowed to; all when empty.
        top: how many; at most what the bundle returns.
        skip_unknown: leave unknown titles out instead of refusing them.
        keys: Ed25519 public keys, with one of which a bundle must be signed.

    Raises:
        InputError: neither bundle nor run, a question that cannot be understood, `top` out of range.
        CheckFailed: the bundle is not as its manifest says, or a model does not run.
    """
    if user is not None and (history or prefer):
        raise InputError("query", expected="either --user, or --history and --prefer", given="both", do="leave one out")
    question = _Question(user, history, prefer, genre, top, skip_unknown)
    if where.is_file() or (where / "manifest.json").is_file():
        return while_unchanged(where, lambda: _from_bundle(where, question, keys))
    return _from_run(open_run(where), question)


@dataclass(frozen=True)
class _Question:
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


def _check_top(top: int, most: int, what: str) -> None:
    if not 1 <= top <= most:
        raise InputError("--top", expected=f"1 to {most}, {what}", given=top, do="choose another")


def _from_bundle(where: Path, question: _Question, keys: Sequence[Path]) -> Answer:
    with opened_bundle(where, keys=keys) as loaded:
        _check_top(question.top, loaded.most, "what the bundle returns")
        nobody = np.empty(0, np.int32)
        rating_range = loaded.manifest["rating_range"]
        asked = question.asked(
            loaded.catalogue, loaded.items, rating_range, lambda user: Query(user, nobody, nobody, nobody, nobody)
        )
        (found,), _ = loaded.answers([asked.query], question.top)
        return _answer(loaded.items, found.ids, found.scores, found.stars, asked.notes)


def _from_run(run: Run, question: _Question) -> Answer:
    """Retrieve and rank with the SavedModels, as the graphs do."""
    items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
    _check_top(question.top, len(items), "the size of the catalogue")
    data = HeldOut(run)
    asked = question.asked(data.catalogue, items, run.run_json["data"]["rating_range"], data.query)
    from ..train.savedmodels import load_signature

    asking = replace(asked.query, items=np.zeros(1, np.int32))  # a user-keyed query is asked once for each candidate
    query = ask(load_signature(run.saved_model("query"), "serving_default"), asking, data.catalogue)["query"]
    scores = query[:1] @ np.load(run.trained / "candidates.npy").T
    scores[0, asked.query.seen] = -np.inf
    if wanted := set(asked.query.genres):
        scores[0, [not wanted.intersection(item["genres"]) for item in items]] = -np.inf
    ids = top_k(scores, max(question.top, DEFAULT_K))[0]
    ids = ids[np.isfinite(scores[0, ids])].astype(np.int32)
    ranking = load_signature(run.saved_model("ranking"), "serving_default")
    stars = ask(ranking, replace(asked.query, items=ids), data.catalogue)["rating"].reshape(-1)
    final = scores[0, ids] + (STARS_WEIGHT * stars if "recommender" in run.run_json["graphs"] else 0)
    order = np.argsort(-final, kind="stable")[: question.top]
    return _answer(items, ids[order], final[order], stars[order], asked.notes)


def _answer(
    items: Sequence[dict[str, Any]], ids: np.ndarray, scores: np.ndarray, stars: np.ndarray | None, notes: list[str]
) -> Answer:
    known = [None] * len(ids) if stars is None else [float(value) for value in stars]
    found = [
        Recommendation(items[i]["id"], items[i]["title"], items[i]["genres"], float(score), star)
        for i, score, star in zip(ids.tolist(), scores, known, strict=True)
    ]
    return Answer(found, notes)
