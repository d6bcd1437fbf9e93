"""Estimates over users with 95% intervals; NumPy only."""

from collections.abc import Callable

import numpy as np

from .records.evaluation import Estimate

# 1,000 resamples put the ends of a 95% interval within about a tenth of its width; the seed makes them the same every time.
RESAMPLES, BOOTSTRAP_SEED = 1000, 0
# Draws that are held at once.
_MOST_DRAWS = 4_000_000


def _as_is(values: np.ndarray) -> np.ndarray:
    return values


def estimates(
    top: np.ndarray, bottom: np.ndarray, finish: Callable[[np.ndarray], np.ndarray] = _as_is
) -> list[Estimate | None]:
    """`finish` of each ratio sum(top) / sum(bottom) over users, with its 95% percentile interval by bootstrap over users (Efron and
    Tibshirani 1993, chapter 13): users are drawn with replacement, top and bottom of a user together.

    Args:
        top, bottom: float64[n_users, m]; where all of `bottom` is 1, the ratio is the mean.
        finish: applied to the ratios, such as a square root.

    Returns:
        m estimates; None where there is nothing to divide by. The interval is None below two users.
    """
    n_users, m = top.shape
    if not n_users:
        return [None] * m
    values = finish(_ratio(top.sum(axis=0), bottom.sum(axis=0)))
    drawn = finish(_resampled(top, bottom)) if n_users > 1 else np.full((1, m), np.nan)
    return [
        None if np.isnan(value) else Estimate(float(value), _interval(column), n_users)
        for value, column in zip(values, drawn.T, strict=True)
    ]


def mean_estimates(values: np.ndarray) -> list[Estimate | None]:
    """The means of the columns of float64[n_users, m]; see `estimates`."""
    return estimates(values, np.ones_like(values))


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)


def _resampled(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """float64[RESAMPLES, m]: the ratio in each resample."""
    rng, n = np.random.default_rng(BOOTSTRAP_SEED), len(top)
    both, block = np.concatenate([top, bottom], axis=1), max(1, min(RESAMPLES, _MOST_DRAWS // n))
    sums = []
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        places = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(places.ravel(), minlength=size * n).reshape(size, n)
        sums.append(times.astype(np.float64) @ both)
    joined = np.concatenate(sums)
    return _ratio(joined[:, : top.shape[1]], joined[:, top.shape[1] :])


def _interval(drawn: np.ndarray) -> tuple[float, float] | None:
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
