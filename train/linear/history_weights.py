"""How much each item of a history counts: by its place, and by its rating."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ...core.queries.histories import Histories

# How much a disliked item counts against what is alike: `DISLIKE` beside a long history, and up to `LONE_DISLIKE` more where there
# is little else, so that it outweighs popularity. Half of the root of that is left after `FEW` items. Decision records 59 and 63.
DISLIKE, LONE_DISLIKE, FEW = 0.2, 0.9, 8
# Ratings in the lowest quarter of the scale are dislikes: 1 and 2 of 1 to 5.
DISLIKED_SHARE = 0.25


@dataclass(frozen=True)
class Feedback:
    """What ratings mean for the items that got them.

    Attributes:
        disliked_at: ratings up to this one are dislikes. A rating of 0 means "used, not rated"; every negative one is a dislike.
        best: the highest rating.
        slope: how much less a liked item counts from `best` down to the lowest rating.
    """

    disliked_at: float
    best: float
    slope: float

    @property
    def per_unit(self) -> float:
        """What a liked item loses per unit of rating below the best."""
        span = (self.best - self.disliked_at) / (1 - DISLIKED_SHARE)
        return self.slope / span if span > 0 else 0.0

    def weights(self, place: np.ndarray, ratings: np.ndarray, against: float = DISLIKE) -> np.ndarray:
        """What items with weights by place float[n] and `ratings` float[n] count: `place` for what was used and not rated,
        `-against` of the mean place for a dislike, which does not fade."""
        liked = 1 - self.per_unit * (self.best - ratings)
        disliked = (ratings != 0) & (ratings <= self.disliked_at)
        mean = place.mean() if len(place) else 0.0
        return np.where(disliked, -against * mean, place * np.where(ratings == 0, 1.0, liked))


# Where nothing is rated a dislike is any negative number.
NO_RATINGS = Feedback(disliked_at=-0.5, best=0.0, slope=0.0)


def feedback_for(ratings: np.ndarray, is_implicit: bool, slope: float) -> Feedback:
    """What ratings float[n] mean by their range; `NO_RATINGS` where there is none."""
    low, high = float(ratings.min()), float(ratings.max())
    if is_implicit or high <= low:
        return NO_RATINGS
    return Feedback(low + DISLIKED_SHARE * (high - low), high, slope)


def liked_rows(known: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """int64[m]: rows of the held-out ratings float[n] that are no dislikes by the range of the `known` ones."""
    return np.flatnonzero(held_out > feedback_for(known, False, 0.0).disliked_at)


def place_weights(window: int, recency: float) -> np.ndarray:
    """float64[window]: weight by place, the newest first."""
    return np.arange(1, window + 1, dtype=np.float64) ** -recency


def dislike_half(place: np.ndarray) -> float:
    """The sum of weights by place at which the root of what is more for a lone dislike has halved."""
    return float(place[:FEW].sum())


def dislike_strength(total: float, half: float) -> float:
    """How much a disliked item counts against what is alike, in a history of this sum of weights by place."""
    return DISLIKE + LONE_DISLIKE * (half / (half + total)) ** 2


def totals(seen: Histories, users: np.ndarray, place: np.ndarray) -> np.ndarray:
    """float64[n]: the sum of the weights by place of the histories of `users`."""
    cumulated = np.concatenate([[0.0], np.cumsum(place)])
    return cumulated[np.minimum(np.diff(seen.offsets)[users], len(place))]


def history_weights(
    seen: Histories, users: np.ndarray, n_items: int, place: np.ndarray, feedback: Feedback | None = None
) -> sparse.csr_matrix:
    """float64[n, n_items]: weights of the last items of the histories of `users` int64[n]; without `feedback` ratings do not
    matter."""
    rows, columns, values, half = [], [], [], dislike_half(place)
    for row, user in enumerate(users):
        items = seen.items_of(user)[-len(place) :]
        weight = place[: len(items)][::-1]
        if feedback is not None:
            strength = dislike_strength(float(weight.sum()), half)
            weight = feedback.weights(weight, seen.ratings_of(user)[-len(place) :], strength)
        rows.append(np.full(len(items), row))
        columns.append(items)
        values.append(weight)
    joined = (np.concatenate(parts) if parts else np.empty(0) for parts in (values, rows, columns))
    value, row, column = joined
    return sparse.csr_matrix((value, (row.astype(np.int64), column.astype(np.int64))), (len(users), n_items))
