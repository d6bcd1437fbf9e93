"""Quality of recommendations as pure functions of scores and truth (NumPy only)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # workers import this file by its path
    from .queries.histories import Histories

RETRIEVED = 100


def rmse(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Root mean squared error, in the unit of the ratings; both float[n]."""
    return float(np.sqrt(np.mean((np.asarray(predicted, np.float64) - np.asarray(actual, np.float64)) ** 2)))


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices int64[rows, k] of each row's largest scores, best first; equal scores keep index order."""
    k = min(k, scores.shape[1])
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def hits_among(ids: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """bool[n, k]: whether each item of lists int[n, k] is relevant, bool[n, n_items]."""
    return np.take_along_axis(relevant, ids, axis=1)


def recall_of_hits(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Recall at k, float64[n]: relevant items among the first `k` over all relevant items; nan where there are none.

    Args:
        hits: bool[n, m], whether each item of a list is relevant, best first; lists hold no item twice.
        n_relevant: int[n].
    """
    with np.errstate(invalid="ignore"):
        return hits[:, :k].sum(axis=1) / n_relevant


def ndcg_of_hits(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Normalised discounted cumulative gain at k with binary relevance, float64[n]: gain 1, discount log2(rank + 1) (Järvelin and
    Kekäläinen 2002); nan where nothing is relevant. Arguments as for `recall_of_hits`."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(n_relevant, k)]
    found = hits[:, :k]
    with np.errstate(invalid="ignore"):
        return (discounts[: found.shape[1]] * found).sum(axis=1) / ideal


def hits_in_lists(found: Iterable[np.ndarray], exact: Iterable[np.ndarray]) -> np.ndarray:
    """int64[n]: how many items of each exact list were found, whatever their order; what is found twice counts once.

    Args:
        found: int[m] per query; ids below 0 mark empty places.
        exact: int[k] per query, distinct ids from 0.
    """
    return np.array([len(np.intersect1d(ids, wanted)) for ids, wanted in zip(found, exact, strict=True)], np.int64)


def recall_of_lists(found: Iterable[np.ndarray], exact: np.ndarray) -> float:
    """Share of exact int[n, k] that was found, mean over queries; see `hits_in_lists`."""
    return float(np.mean(hits_in_lists(found, exact) / exact.shape[1]))


def recall_with_ties(
    found: Iterable[np.ndarray], exact: np.ndarray, items: np.ndarray, queries: np.ndarray, *, tie: float
) -> float:
    """As `recall_of_lists`, where an item that ties with the k-th counts as it.

    Args:
        exact: int[n, k], best first.
        items, queries: float32[n_items, d] and float32[n, d], whose inner products are the scores.
        tie: the share of the k-th score that an item may lack and still tie with it.
    """
    hits = 0
    for ids, wanted, query in zip(found, exact, queries, strict=True):
        ids = np.unique(ids[ids >= 0].astype(np.int64))
        least = float(items[wanted[-1]] @ query)
        scores = np.asarray(items[ids]) @ query
        hits += min(len(wanted), int((np.isin(ids, wanted) | (scores >= least - tie * abs(least))).sum()))
    return hits / exact.size


def retrieval_quality(
    score: Callable[[np.ndarray], np.ndarray], seen: Histories, truth: Histories, *, batch: int = 512
) -> dict[str, float]:
    """Recall@10, recall@100 and NDCG@10 over the full catalogue by exact scoring, items in `seen` excluded.

    Args:
        score: int64[b] users to float[b, n_items] scores.
        seen: training histories; their items are excluded.
        truth: held-out items. Users without any are skipped; the mean is over users.
    """
    users = np.flatnonzero(np.diff(truth.offsets) > 0)
    rows = []
    for start in range(0, len(users), batch):
        chunk = users[start : start + batch]
        scores = np.array(score(chunk), np.float32)
        relevant = np.zeros(scores.shape, bool)
        for row, user in enumerate(chunk):
            scores[row, seen.items_of(user)] = -np.inf
            relevant[row, truth.items_of(user)] = True
        hits, n_relevant = hits_among(top_k(scores, RETRIEVED), relevant), relevant.sum(axis=1)
        columns = recall_of_hits(hits, n_relevant, 10), recall_of_hits(hits, n_relevant, RETRIEVED)
        rows.append(np.stack([*columns, ndcg_of_hits(hits, n_relevant, 10)], axis=1))
    means = np.mean(np.concatenate(rows), axis=0)
    return {"recall_at_10": float(means[0]), "recall_at_100": float(means[1]), "ndcg_at_10": float(means[2])}
