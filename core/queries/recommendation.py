"""A request for recommendations in names, and the list that answers it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from ..errors import InputError
from ..records.item import Item
from ..records.record import Doc, Json, Record
from .query import Query
from .query_parsing import History, ParsedQuery, QueryParser
from .reasons import Method, Reasons, Why

ANSWER_SCHEMA = "pocketrec.answer/1"


@dataclass(frozen=True)
class Recommendation(Record):
    """One item of an answer."""

    id: Annotated[str, Doc("as the item vocabulary has it")]
    title: Annotated[str, Doc("what people call it")]
    genres: Annotated[list[str], Doc("what lists can be narrowed to")]
    score: Annotated[float, Doc("what the answer is ordered by")]
    stars: Annotated[float | None, Doc("predicted rating; null where no model predicts ratings", "rating")]
    why: Annotated[Why | None, Doc("what made up the score; null where that was not asked for")] = None


@dataclass(frozen=True)
class Answer(Record):
    """Items, best first, and notes on the query."""

    items: list[Recommendation]
    notes: Annotated[list[str], Doc("what was left out of the query or changed in it, one line each")] = field(
        default_factory=list
    )
    why_method: Annotated[
        Method | None,
        Doc(
            "`contributions`: exact parts of a sum; `leave_one_out`: what the score loses without the item; null: not asked for"
        ),
    ] = None
    schema: Annotated[str, Doc("name and version of the schema")] = ANSWER_SCHEMA

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def to_json(self) -> Json:
        """As a document: the schema first."""
        fields = super().to_json()
        return {"schema": fields.pop("schema"), **fields}


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
        dislike: items by id or title that are disliked.
        why: say what made up each score.
    """

    user: str | None = None
    history: History = ()
    prefer: Sequence[str] = ()
    genres: Sequence[str] = ()
    top: int = 10
    skip_unknown: bool = False
    dislike: Sequence[str] = ()
    why: bool = False

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
            InputError: a user beside a history or preferences; `why` of models that read no history; and as `QueryParser`.
        """
        if self.why and not parser.names.window:
            raise InputError(
                "--why",
                expected="models whose query is a history",
                given="models keyed by user id, which read none",
                do="leave it out",
                code="QUERY_UNSUPPORTED",
            )
        if self.user is None:
            return parser.history(self.history, self.prefer, self.genres, self.dislike, skip_unknown=self.skip_unknown)
        if self.history or self.prefer:
            raise InputError(
                "query",
                expected="either --user, or --history and --prefer",
                given="both",
                do="leave one out",
                code="OPTION_CONFLICT",
            )
        query = replace(of_user(parser.user(self.user)), genres=parser.genres(self.genres))
        return parser.with_dislikes(query, self.dislike, skip_unknown=self.skip_unknown)


def make_answer(
    items: Sequence[Item],
    ids: np.ndarray,
    scores: np.ndarray,
    ratings: np.ndarray | None,
    notes: list[str],
    reasons: Reasons | None = None,
) -> Answer:
    """The answer in names.

    Args:
        ids: int32[n], best first.
        scores: float32[n].
        ratings: float32[n], predicted; None where no model predicts them.
        reasons: what made up the scores, where that was asked for.
    """
    predicted = [None] * len(ids) if ratings is None else [float(value) for value in ratings]
    why = [None] * len(ids) if reasons is None else reasons.in_names(items)
    found = [
        Recommendation(items[i].id, items[i].title, items[i].genres, float(score), rating, one)
        for i, score, rating, one in zip(ids.tolist(), scores, predicted, why, strict=True)
    ]
    return Answer(found, notes, None if reasons is None else reasons.method)
