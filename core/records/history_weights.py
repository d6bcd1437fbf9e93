"""How the linear encoder weighs a history: what its models compute, for whoever takes their scores apart."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from .record import Doc, Record

# Far inside float32, so that no client rounds such a number to infinity.
_MOST = 1e30
_Number = Annotated[float, Meta(ge=-_MOST, le=_MOST)]
_Share = Annotated[float, Meta(ge=0, le=_MOST)]
_Positive = Annotated[float, Meta(ge=1e-30, le=_MOST)]


@dataclass(frozen=True)
class HistoryWeights(Record):
    """The weights of a history's items, and the length that a query is divided by.

    The item at place k of the newest `window` events, the newest at 1, has the weight p_k = k ** -recency; t is the sum of the
    weights of the known ones. The retrieval score of a candidate is

        (sum_k p_k f_k S_k + preferences + popularity * half / (t + half)) / sqrt(t + 1)

    S_k being the score that item k alone gives it, f_k what its rating means.
    """

    recency: Annotated[Annotated[float, Meta(ge=0, le=100)], Doc("the item at place k, the newest at 1, weighs k ** -recency")]
    disliked_at: Annotated[_Number, Doc("ratings up to this one, and not 0, are dislikes", "rating")]
    best: Annotated[_Number, Doc("the highest rating", "rating")]
    per_unit: Annotated[_Share, Doc("what a liked item loses for each unit of its rating below the best")]
    dislike: Annotated[_Share, Doc("how much a dislike counts against what is alike beside a long history")]
    lone_dislike: Annotated[_Share, Doc("how much more it counts where there is nothing else")]
    few: Annotated[_Positive, Doc("sum of weights by place at which the root of that has halved")]
    popularity_half: Annotated[_Positive, Doc("sum of weights by place at which popularity has halved")]

    def places(self, n: int) -> np.ndarray:
        """float64[n]: weights of the last n items of a history by place, oldest first."""
        return np.arange(n, 0, -1, dtype=np.float64) ** -self.recency

    def is_dislike(self, stars: np.ndarray) -> np.ndarray:
        """bool[n]: which ratings float[n] are dislikes; 0 is "used, not rated"."""
        return (stars != 0) & (stars <= self.disliked_at)

    def factors(self, stars: np.ndarray, total: float) -> np.ndarray:
        """float64[n]: what ratings float[n] mean in a history whose weights by place sum to `total`."""
        against = self.dislike + self.lone_dislike * (self.few / (self.few + total)) ** 2
        liked = np.where(stars == 0, 1.0, 1.0 - self.per_unit * (self.best - stars))
        return np.where(self.is_dislike(stars), -against, liked)

    def popularity(self, total: float) -> float:
        """Weight of popularity beside such a history; 1 for an empty one."""
        return self.popularity_half / (self.popularity_half + total)

    @staticmethod
    def norm(total: float) -> float:
        """What the query of such a history is multiplied by."""
        return (total + 1.0) ** -0.5
