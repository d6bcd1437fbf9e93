"""Quality of recommendations as pure functions of scores and truth (NumPy only)."""

from collections.abc import Callable

import numpy as np

from .queries.histories import Histories


def rmse(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Root of the mean squared difference, in stars; both float[n]."""
    return float(np.sqrt(np.mean((np.asarray(predicted, np.float64) - np.asarray(actual, np.float64)) ** 2)))


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices int64[rows, k] of each row's largest scores, best first; equal scores keep index order."""
    k = min(k, scores.shape[1])
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def recall_at_k(ranked: np.ndarray, truth: np.ndarray, k: int) -> float:
    """Share of the distinct `truth` items among the first `k` of `ranked`: hits / |truth|."""
    return len(np.intersect1d(ranked[:k], truth)) / len(np.unique(truth))


def ndcg_at_k(ranked: np.ndarray, truth: np.ndarray, k: int) -> float:
    """Normalised discounted cumulative gain with binary relevance (Järvelin & Kekäläinen 2002): gain 1, discount log2(rank + 1)."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    hits = np.isin(ranked[:k], truth)
    ideal = discounts[: min(k, len(np.unique(truth)))].sum()
    return float((discounts[: len(hits)] * hits).sum() / ideal)


def retrieval_quality(
    score: Callable[[np.ndarray], np.ndarray], seen: Histories, truth: Histories, *, batch: int = 512
) -> dict[str, float]:
    """Recall@10, recall@100 and NDCG@10 over the full catalogue by exact scoring, items in `seen` excluded.

    Args:
        score: int64[b] users to float[b, n_items] scores.
        seen: training histories; their items are never recommended.
        truth: held-out items. Users without any are skipped; the mean is over users.
    """
    users = np.flatnonzero(np.diff(truth.offsets) > 0)
    rows = []
    for start in range(0, len(users), batch):
        chunk = users[start : start + batch]
        scores = np.array(score(chunk), np.float32)
        for row, user in enumerate(chunk):
            scores[row, seen.items_of(user)] = -np.inf
        for user, ranked in zip(chunk, top_k(scores, 100), strict=True):
            wanted = truth.items_of(user)
            rows.append(
                (recall_at_k(ranked, wanted, 10), recall_at_k(ranked, wanted, 100), ndcg_at_k(ranked, wanted, 10))
            )
    means = np.mean(rows, axis=0)
    return {"recall_at_10": float(means[0]), "recall_at_100": float(means[1]), "ndcg_at_10": float(means[2])}
