"""What a baseline is, how its quality is measured, and how its one hyperparameter is tuned."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...core.metrics import retrieval_quality, rmse
from ..data.ratings import Ratings, histories, split_ratings

TUNING_USERS = 2_000  # bounds the time that ranking takes on large data


@dataclass(frozen=True)
class Fitted:
    """A fitted baseline; the side it does not offer is None.

    Attributes:
        score: users int64[b] to float32[b, n_items]; larger is better.
        predict: user int32[m] and item int32[m] to ratings float32[m], not clipped.
    """

    score: Callable[[np.ndarray], np.ndarray] | None = None
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


# From a hyperparameter's value to the fitted model; what does not depend on the value is computed before.
Factory = Callable[[float], Fitted]


def has_ratings(train: Ratings) -> bool:
    """Whether there are two different ratings to learn from."""
    return not train.is_implicit and bool((train.rating != train.rating[0]).any())


def quality(fitted: Fitted, train: Ratings, test: Ratings) -> dict[str, float]:
    """The measures that `fitted` offers: `rmse` (predictions clipped to the training range) and the retrieval metrics."""
    found = {}
    if fitted.predict is not None:
        ratings = np.clip(fitted.predict(test.user, test.item), train.rating.min(), train.rating.max())
        found["rmse"] = rmse(ratings, test.rating)
    if fitted.score is not None:
        found |= retrieval_quality(fitted.score, histories(train), histories(test))
    return found


def tuned(train: Ratings, build: Callable[[Ratings], Factory], grid: tuple[float, ...]) -> Fitted:
    """`build(train)` at the value of `grid` that does best on a random fifth of `train`; at the first below 3 ratings."""
    return build(train)(_best(train, build, grid) if len(train) > 2 else grid[0])


def _best(train: Ratings, build: Callable[[Ratings], Factory], grid: tuple[float, ...]) -> float:
    kept, validation = split_ratings(train, "random", 0)
    users = np.random.default_rng(0).permutation(np.unique(validation.user))[:TUNING_USERS]
    validation = validation.take(np.flatnonzero(np.isin(validation.user, users)))
    make = build(kept)
    found = [quality(make(value), kept, validation) for value in grid]
    return grid[int(np.argmax([row.get("ndcg_at_10", -row.get("rmse", 0.0)) for row in found]))]
