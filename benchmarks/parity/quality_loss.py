"""What a variant costs in quality against held-out truth: both sides, an interval over users, and by kind of user and item."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from ...core.metrics import rmse
from .agreement import paired_interval, paired_rmse_interval, thirds
from .reference import Reference

QUALITY_K = 100
BY_HISTORY, BY_POPULARITY = ("shortest", "middle", "longest"), ("tail", "middle", "head")


def recall_of_hits(hits: np.ndarray, n_true: np.ndarray, k: int = QUALITY_K) -> np.ndarray:
    """float64[n]: hits bool[n, k] among the first `k` over all true items; nan where there are none."""
    with np.errstate(invalid="ignore"):
        return hits[:, :k].sum(axis=1) / n_true


def ndcg_of_hits(hits: np.ndarray, n_true: np.ndarray, k: int = 10) -> np.ndarray:
    """float64[n]: binary gains, discount log2(rank + 1) (Järvelin and Kekäläinen 2002); nan where there are no true items."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(n_true, k)]
    found = hits[:, :k]
    with np.errstate(invalid="ignore"):
        return (discounts[: found.shape[1]] * found).sum(axis=1) / ideal


LIST_QUALITY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "recall_at_100": recall_of_hits,
    "ndcg_at_10": ndcg_of_hits,
}


def list_quality(metric: str, ids: np.ndarray, best: np.ndarray, reference: Reference) -> dict[str, Any]:
    """Quality of lists ids int[n, k] next to the reference's `best`: means over users, loss, interval, loss by thirds.

    By popularity, only the held-out items of that third of the catalogue count as true, over the users who have any.
    """
    truth, measure = reference.truth_mask, LIST_QUALITY[metric]
    hits = [np.take_along_axis(truth, lists, axis=1) for lists in (best, ids)]
    before, after = (measure(found, truth.sum(axis=1)) for found in hits)
    low, high = paired_interval(after, before)  # the loss is what the variant lacks
    history = thirds(reference.history_lengths)
    by_popularity = {}
    for third, name in enumerate(BY_POPULARITY):
        counted = reference.item_thirds == third
        n_true = (truth & counted).sum(axis=1)
        part = [measure(found & counted[lists], n_true) for found, lists in zip(hits, (best, ids), strict=True)]
        by_popularity[name] = _mean((part[0] - part[1])[n_true > 0])
    loss = before - after
    return {
        **_quality(metric, float(before.mean()), float(after.mean()), float(loss.mean())),
        "quality_loss_ci95": [low, high],
        "quality_loss_by_history": {name: _mean(loss[history == n]) for n, name in enumerate(BY_HISTORY)},
        "quality_loss_by_popularity": by_popularity,
    }


def rating_quality(expected: np.ndarray, got: np.ndarray, reference: Reference) -> dict[str, Any]:
    """RMSE in stars of both sides, float32[n] flat over queries and clipped to the range of the ratings, and the loss."""
    truth = np.concatenate([query.ratings for query in reference.queries]).astype(np.float64)
    items = np.concatenate([query.items for query in reference.queries])
    low, high = reference.rating_range
    clipped = [np.clip(values, low, high) for values in (expected, got)]
    before, after = (rmse(values, truth) for values in clipped)
    squares = [(values.astype(np.float64) - truth) ** 2 for values in clipped]
    sums = [np.array([s[a:b].sum() for a, b in pairwise(reference["rating.offsets"])]) for s in squares]
    counts = np.diff(reference["rating.offsets"])
    user = np.repeat(thirds(reference.history_lengths), counts)
    return {
        **_quality("rmse", before, after, after - before),
        "quality_loss_ci95": list(paired_rmse_interval(sums[0], sums[1], counts)),
        "quality_loss_by_history": _rmse_by(user, squares, BY_HISTORY),
        "quality_loss_by_popularity": _rmse_by(reference.item_thirds[items], squares, BY_POPULARITY),
    }


def _rmse_by(third: np.ndarray, squares: list[np.ndarray], names: tuple[str, ...]) -> Mapping[str, float | None]:
    root = lambda values: float(np.sqrt(values.mean()))  # noqa: E731
    return {
        name: root(squares[1][third == n]) - root(squares[0][third == n]) if (third == n).any() else None
        for n, name in enumerate(names)
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _quality(metric: str, before: float, after: float, loss: float) -> dict[str, Any]:
    return {
        "quality_metric": metric,
        "quality_reference": before,
        "quality_variant": after,
        "quality_delta": after - before,
        "quality_loss": loss,
    }
