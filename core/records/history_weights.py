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

    Of the newest `window` events that the model knows, the one at place k, the newest at 1, has the weight p_k = k ** -recency; t
    is the sum of these and m their mean. An item that is not disliked counts p_k times what its rating means, a dislike m times:
    it does not fade. The retrieval score of a candidate is

        (sum_k w_k S_k + preferences + popularity * half / (t + half)) / sqrt(t + 1)

    S_k being the score that the row of item k gives it.
    """

    recency: Annotated[
        Annotated[float, Meta(ge=0, le=100)], Doc("the item at place k, the newest at 1, weighs k ** -recency")
    ]
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

    def weights(self, stars: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, float]:
        """float64[n]: what each item counts; and t.

        Args:
            stars: float[n], ratings of the newest items, oldest first.
            known: bool[n], whether the model knows the item.
        """
        place = self.places(len(stars)) * known
        total = float(place.sum())
        disliked = self.is_dislike(stars)
        liked = np.where(stars == 0, 1.0, 1.0 - self.per_unit * (self.best - stars))
        against = self.dislike + self.lone_dislike * (self.few / (self.few + total)) ** 2
        return np.where(disliked, -against * total / max(1, int(known.sum())) * known, place * liked), total

    def popularity(self, total: float) -> float:
        """Weight of popularity beside such a history; 1 for an empty one."""
        half = self.popularity_half**2
        return half / (half + total**2)

    @staticmethod
    def norm(total: float) -> float:
        """What the query of such a history is multiplied by."""
        return (total + 1.0) ** -0.5
