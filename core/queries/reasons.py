"""Why an item was recommended: what each item of the history adds to its score.

Where the weights of a history are known (the linear encoder), the score is a sum and its parts are exact, up to the rounding of
the model that is asked: every item is asked about alone, and a single item's score says what its row gives each candidate.
Elsewhere it is what the score loses when the item's place in the history is empty; such differences do not add up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from ..records.history_weights import HistoryWeights
from ..records.item import Item
from ..records.record import Doc, Record
from .query import Query

Method = Literal["contributions", "leave_one_out"]
# From queries to float[n_queries, n]: the retrieval scores of the items that are explained.
ScoreItems = Callable[[Sequence[Query]], np.ndarray]
# Items of the history that are named for each recommended item.
NAMED = 3


@dataclass(frozen=True)
class Reason(Record):
    """An item of the history, and what it adds to a score."""

    id: Annotated[str, Doc("as the item vocabulary has it")]
    title: Annotated[str, Doc("what people call it")]
    disliked: Annotated[bool, Doc("whether the history says that it was disliked")]
    contribution: Annotated[float, Doc("what it adds to the score")]


@dataclass(frozen=True)
class Why(Record):
    """What made up a score: with `contributions` the sum of all parts."""

    items: Annotated[
        list[Reason], Doc(f"up to {NAMED} items of the history that added most, each something, the most first")
    ]
    others: Annotated[float | None, Doc("what the rest of the history adds; null where parts do not add up")] = None
    preferences: Annotated[float | None, Doc("what declared preferences add; null likewise")] = None
    popularity: Annotated[float | None, Doc("what popularity adds; null likewise")] = None
    rating: Annotated[float | None, Doc("what the predicted rating adds; null likewise")] = None
    remainder: Annotated[
        float | None, Doc("the score without these parts: rounding of a quantized model; null likewise")
    ] = None


@dataclass(frozen=True)
class Reasons:
    """What made up the scores of n recommended items.

    Attributes:
        seen: int32[m], the items of the history that the models read, oldest first, and whether each was disliked, bool[m].
        items: float64[m, n], what each of them adds.
        preferences, popularity, rating, remainder: float64[n]; None where parts do not add up.
    """

    method: Method
    seen: np.ndarray
    disliked: np.ndarray
    items: np.ndarray
    preferences: np.ndarray | None = None
    popularity: np.ndarray | None = None
    rating: np.ndarray | None = None
    remainder: np.ndarray | None = None

    def in_names(self, catalogue: Sequence[Item]) -> list[Why]:
        """One `Why` for each recommended item."""
        return [self._of(place, catalogue) for place in range(self.items.shape[1])]

    def _of(self, place: int, catalogue: Sequence[Item]) -> Why:
        added = self.items[:, place]
        named = [k for k in np.argsort(-added, kind="stable")[:NAMED].tolist() if added[k] > 0]
        reasons = [
            Reason(one.id, one.title, bool(self.disliked[k]), float(added[k]))
            for k, one in ((k, catalogue[int(self.seen[k])]) for k in named)
        ]
        if self.method == "leave_one_out":
            return Why(reasons)
        parts = (self.preferences, self.popularity, self.rating, self.remainder)
        others = float(added.sum() - added[named].sum())
        return Why(reasons, others, *(None if part is None else float(part[place]) for part in parts))


@dataclass(frozen=True)
class Explained:
    """A query whose answer is to be explained.

    Attributes:
        window: items of the history that the models read.
        known: items that the query model knows; ids from here on count as unknown.
        retrieved: float64[n], retrieval scores of the recommended items.
        scores: float64[n], what the answer is ordered by.
    """

    query: Query
    window: int
    known: int
    retrieved: np.ndarray
    scores: np.ndarray

    def reasons(self, score: ScoreItems, weights: HistoryWeights | None) -> Reasons:
        """What made up the scores; by leaving out where `weights` are not known."""
        seen, stars = self.query.seen[-self.window :], self.query.stars[-self.window :]
        read = np.flatnonzero(seen < self.known)
        bare = replace(self.query, genres=(), items=self.query.items[:0])
        if weights is None:
            return self._left_out(bare, seen, read, score)
        return self._added_up(bare, seen, stars, read, score, weights)

    def _left_out(self, bare: Query, seen: np.ndarray, read: np.ndarray, score: ScoreItems) -> Reasons:
        queries = []
        for place in read:
            without, ratings = self.query.seen.copy(), self.query.stars.copy()
            without[len(without) - len(seen) + place] = self.known
            ratings[len(without) - len(seen) + place] = 0
            queries.append(replace(bare, seen=without, stars=ratings))
        lost = self.retrieved[None] - score(queries) if queries else np.empty((0, len(self.retrieved)))
        return Reasons("leave_one_out", seen[read], np.zeros(len(read), bool), lost)

    def _added_up(
        self,
        bare: Query,
        seen: np.ndarray,
        stars: np.ndarray,
        read: np.ndarray,
        score: ScoreItems,
        weights: HistoryWeights,
    ) -> Reasons:
        empty = replace(bare, seen=seen[:0], stars=stars[:0], preferences=())
        declared = replace(empty, preferences=bare.preferences)
        alone = [replace(empty, seen=seen[k : k + 1], stars=np.zeros(1, np.float32)) for k in read]
        nothing, preferred, *single = score([empty, declared, *alone]).astype(np.float64)
        one = weights.norm(1.0), weights.popularity(1.0)  # an item alone has the newest place, which weighs 1
        rows = np.array(single).reshape(len(read), len(nothing)) / one[0] - one[1] * nothing
        counts, total = weights.weights(stars, seen < self.known)
        norm = weights.norm(total)
        items = (norm * counts[read])[:, None] * rows
        preferences, popularity = norm * (preferred - nothing), norm * weights.popularity(total) * nothing
        rating = self.scores - self.retrieved
        remainder = self.retrieved - items.sum(axis=0) - preferences - popularity
        disliked = weights.is_dislike(stars[read])
        return Reasons("contributions", seen[read], disliked, items, preferences, popularity, rating, remainder)
