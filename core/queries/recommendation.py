"""A request for recommendations in names, and the list that answers it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError
from ..records.item import Item
from ..records.record import Record
from .query import Query
from .query_parsing import History, ParsedQuery, QueryParser


@dataclass(frozen=True)
class Recommendation(Record):
    """One item of an answer.

    Attributes:
        score: what the answer is ordered by.
        stars: predicted rating; None where no model predicts ratings.
    """

    id: str
    title: str
    genres: list[str]
    score: float
    stars: float | None


@dataclass(frozen=True)
class Answer(Record):
    """Items, best first, and notes on the query."""

    items: list[Recommendation]
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Request:
    """What is asked for, in names.

    Attributes:
        user: an id from the user vocabulary; instead of a history.
        history: items used or rated, oldest first; see `History`.
        prefer: declared preferences, such as a genre.
        genres: genres the answer is narrowed to; all when empty.
        top: how many items.
        skip_unknown: leave unknown items out instead of refusing them.
    """

    user: str | None = None
    history: History = ()
    prefer: Sequence[str] = ()
    genres: Sequence[str] = ()
    top: int = 10
    skip_unknown: bool = False

    def check_top(self, most: int, what: str) -> None:
        """Refuse a `top` that is not 1 to `most`, which is `what`."""
        if not 1 <= self.top <= most:
            raise InputError(
                "--top", expected=f"1 to {most}, {what}", given=self.top, do="choose another", code="TOP_INVALID"
            )

    def parse(self, parser: QueryParser, of_user: Callable[[int], Query]) -> ParsedQuery:
        """The query it means.

        Args:
            of_user: makes the query of a known user.

        Raises:
            InputError: a user beside a history or preferences; and as `QueryParser`.
        """
        if self.user is None:
            return parser.history(self.history, self.prefer, self.genres, skip_unknown=self.skip_unknown)
        if self.history or self.prefer:
            raise InputError(
                "query",
                expected="either --user, or --history and --prefer",
                given="both",
                do="leave one out",
                code="OPTION_CONFLICT",
            )
        query = of_user(parser.user(self.user))
        return ParsedQuery(replace(query, genres=parser.genres(self.genres)))


def make_answer(
    items: Sequence[Item], ids: np.ndarray, scores: np.ndarray, ratings: np.ndarray | None, notes: list[str]
) -> Answer:
    """The answer in names.

    Args:
        ids: int32[n], best first.
        scores: float32[n].
        ratings: float32[n], predicted; None where no model predicts them.
    """
    predicted = [None] * len(ids) if ratings is None else [float(value) for value in ratings]
    found = [
        Recommendation(items[i].id, items[i].title, items[i].genres, float(score), rating)
        for i, score, rating in zip(ids.tolist(), scores, predicted, strict=True)
    ]
    return Answer(found, notes)
