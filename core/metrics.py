"""Quality of recommendations as pure functions of scores and truth (NumPy only)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # workers import this file by its path
    from .queries.histories import Histories

RETRIEVED = 100
# What `list_quality` measures, in its order.
LIST_METRICS = ("recall_at_10", "recall_at_100", "ndcg_at_10")
# Scores that are held at once while users are ranked: 16 MB in float32.
MOST_SCORES = 4_000_000
# Up to this share of a row, 1 in so many, its largest values are picked out and sorted by themselves: 100 of 10,000 items in a
# sixth of the time of a whole sort, 100 of a million in a fourteenth.
SORTED_SHARE = 8


def rmse(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Root mean squared error, in the unit of the ratings; both float[n]."""
    return float(np.sqrt(np.mean((np.asarray(predicted, np.float64) - np.asarray(actual, np.float64)) ** 2)))


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices int64[rows, k] of each row's largest scores, best first; equal scores keep index order, nan comes last."""
    n = scores.shape[1]
    k = min(k, n)
    if k * SORTED_SHARE >= n:
        return np.argsort(-scores, axis=1, kind="stable")[:, :k]
    found = np.empty((len(scores), k), np.int64)
    for row, values in enumerate(scores):
        least = -np.partition(-values, k - 1)[k - 1]
        able = np.arange(n) if np.isnan(least) else np.flatnonzero(values >= least)
        found[row] = able[np.argsort(-values[able], kind="stable")[:k]]
    return found


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


def thirds(size: np.ndarray) -> np.ndarray:
    """int[n]: 0 for the third with the least values, then 1 and 2; equal values in order."""
    return np.minimum(np.argsort(np.argsort(size, kind="stable")) * 3 // max(len(size), 1), 2)


def best_unseen(
    score: Callable[[np.ndarray], np.ndarray], seen: Histories, users: np.ndarray, k: int = RETRIEVED
) -> np.ndarray:
    """The best items of the whole catalogue by exact scoring, those in `seen` left out; equal scores keep the catalogue's order.

    Users are scored in blocks, so that at most `MOST_SCORES` scores, or those of one user, are held at once.

    Args:
        score: int64[b] users to float[b, n_items] scores.
        seen: histories whose items are left out.
        users: int64[n].

    Returns:
        int32[n, k], best first; -1 in places that the catalogue has no further item for.
    """
    found, start, block = np.full((len(users), k), -1, np.int32), 0, 1
    while start < len(users):
        chunk = users[start : start + block]
        scores = np.array(score(chunk), np.float32)
        for row, user in enumerate(chunk):
            scores[row, seen.items_of(user)] = -np.inf
        ids = top_k(scores, k)
        left = np.take_along_axis(scores, ids, axis=1) > -np.inf
        found[start : start + block, : ids.shape[1]] = np.where(left, ids, -1)
        start, block = start + block, max(1, min(512, MOST_SCORES // scores.shape[1]))
    return found


def list_quality(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """float64[n, 3]: recall at 10, recall at 100 and NDCG at 10 of each list, in the order of `LIST_METRICS`; nan where nothing is
    relevant. Arguments as for `recall_of_hits`."""
    columns = recall_of_hits(hits, n_relevant, 10), recall_of_hits(hits, n_relevant, RETRIEVED)
    return np.stack([*columns, ndcg_of_hits(hits, n_relevant, 10)], axis=1)


def hits_of_lists(lists: np.ndarray, users: np.ndarray, truth: Histories) -> tuple[np.ndarray, np.ndarray]:
    """Which items of `lists` int32[n, k] (-1: an empty place) are among the held-out items of `users` int64[n].

    Returns:
        Hits bool[n, k], and how many distinct items each user has in `truth`, int64[n].
    """
    hits, n_relevant = np.zeros(lists.shape, bool), np.zeros(len(users), np.int64)
    for row, user in enumerate(users):
        relevant = np.unique(truth.items_of(user))
        hits[row], n_relevant[row] = np.isin(lists[row], relevant), len(relevant)
    return hits, n_relevant


def retrieval_quality(score: Callable[[np.ndarray], np.ndarray], seen: Histories, truth: Histories) -> dict[str, float]:
    """Recall@10, recall@100 and NDCG@10 over the full catalogue by exact scoring, items in `seen` excluded.

    Args:
        score: int64[b] users to float[b, n_items] scores.
        seen: training histories; their items are excluded.
        truth: held-out items. Users without any are skipped; the mean is over users.
    """
    users = np.flatnonzero(np.diff(truth.offsets) > 0)
    means = list_quality(*hits_of_lists(best_unseen(score, seen, users), users, truth)).mean(axis=0)
    return dict(zip(LIST_METRICS, means.tolist(), strict=True))
