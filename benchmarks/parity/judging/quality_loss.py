"""What a variant costs in quality against held-out truth: both sides, an interval over users, and by kind of user and item."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ....core.metrics import hits_among, ndcg_of_hits, recall_of_hits, rmse, thirds
from ....core.records.agreement import QUALITY, ThirdsOfHistory, ThirdsOfPopularity
from ..agreement import paired_interval, paired_rmse_interval
from ..reference import Reference

# Length of the lists whose recall is measured.
QUALITY_K = 100
_THIRDS = 3

# Quality of each list, float64[n], from hits bool[n, k] and the number of relevant items int[n], by a key of `QUALITY`.
LIST_QUALITY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "recall_at_100": lambda hits, n_relevant: recall_of_hits(hits, n_relevant, QUALITY_K),
    "ndcg_at_10": lambda hits, n_relevant: ndcg_of_hits(hits, n_relevant, 10),
}


@dataclass(frozen=True)
class QualityLoss:
    """The fields of `Agreement` about quality."""

    quality_metric: str
    quality_reference: float
    quality_variant: float
    quality_delta: float
    quality_loss: float
    quality_loss_ci95: tuple[float, float]
    quality_loss_by_history: ThirdsOfHistory
    quality_loss_by_popularity: ThirdsOfPopularity


def list_quality(metric: str, ids: np.ndarray, best: np.ndarray, reference: Reference) -> QualityLoss:
    """Quality of lists ids int[n, k] next to the reference's `best`: means over users, loss, interval, loss by thirds.

    By popularity, only the held-out items of that third of the catalogue are relevant, over the users who have any.

    Args:
        metric: a key of `LIST_QUALITY`.
    """
    truth, measure = reference.truth_mask, LIST_QUALITY[metric]
    hits = [hits_among(lists, truth) for lists in (best, ids)]
    before, after = (measure(found, truth.sum(axis=1)) for found in hits)
    by_popularity = []
    for third in range(_THIRDS):
        counted = reference.item_thirds == third
        n_relevant = (truth & counted).sum(axis=1)
        part = [measure(found & counted[lists], n_relevant) for found, lists in zip(hits, (best, ids), strict=True)]
        by_popularity.append(_mean((part[0] - part[1])[n_relevant > 0]))
    history, loss = thirds(reference.history_lengths), before - after
    return _quality(
        metric,
        float(before.mean()),
        float(after.mean()),
        float(loss.mean()),
        paired_interval(after, before),  # the loss is what the variant lacks
        [_mean(loss[history == third]) for third in range(_THIRDS)],
        by_popularity,
    )


def rating_quality(expected: np.ndarray, got: np.ndarray, reference: Reference) -> QualityLoss:
    """RMSE of both sides, float32[n] flat over queries and clipped to the range of the ratings, and the loss."""
    truth = np.concatenate([query.ratings for query in reference.queries]).astype(np.float64)
    items = np.concatenate([query.items for query in reference.queries])
    low, high = reference.rating_range
    clipped = [np.clip(values, low, high) for values in (expected, got)]
    before, after = (rmse(values, truth) for values in clipped)
    squares = [(values.astype(np.float64) - truth) ** 2 for values in clipped]
    sums = [np.array([s[a:b].sum() for a, b in pairwise(reference["rating.offsets"])]) for s in squares]
    counts = np.diff(reference["rating.offsets"])
    user = np.repeat(thirds(reference.history_lengths), counts)
    return _quality(
        "rmse",
        before,
        after,
        after - before,
        paired_rmse_interval(sums[0], sums[1], counts),
        _rmse_lost(user, squares),
        _rmse_lost(reference.item_thirds[items], squares),
    )


def _rmse_lost(third: np.ndarray, squares: list[np.ndarray]) -> list[float | None]:
    """By how much the variant's error is larger in each third of the ratings; None where a third is empty."""
    kept = [third == number for number in range(_THIRDS)]
    return [_root_mean(squares[1][k]) - _root_mean(squares[0][k]) if k.any() else None for k in kept]


def _root_mean(squares: np.ndarray) -> float:
    return float(np.sqrt(squares.mean()))


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _quality(
    metric: str,
    before: float,
    after: float,
    loss: float,
    interval: tuple[float, float],
    by_history: list[float | None],
    by_popularity: list[float | None],
) -> QualityLoss:
    assert metric in QUALITY, metric
    return QualityLoss(
        quality_metric=metric,
        quality_reference=before,
        quality_variant=after,
        quality_delta=after - before,
        quality_loss=loss,
        quality_loss_ci95=interval,
        quality_loss_by_history=ThirdsOfHistory(*by_history),
        quality_loss_by_popularity=ThirdsOfPopularity(*by_popularity),
    )
