"""A variant's raw outputs against the reference: metrics by graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..convert.graphs import MASKED_BELOW, STARS_WEIGHT
from ..train.metrics import ndcg_at_k, recall_at_k, rmse, top_k
from .measures import (
    kendall_tau,
    max_abs_diff,
    mean_abs_diff,
    mean_defined,
    norm_drift,
    paired_interval,
    rank_biased_overlap,
    score_resolution,
    swaps,
    top_k_overlap,
)
from .queries import HeldOut, rows_of

QUALITY_K = 100


def compare_ratings(
    outputs: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], data: HeldOut
) -> dict[str, Any]:
    """Metrics of a ranker: `rating` flat over all queries on both sides, quality as RMSE in stars of predictions
    clipped to the range of the ratings."""
    expected, got = reference["rating"], outputs["rating"].reshape(-1)
    truth = np.concatenate([query.ratings for query in data.queries])
    low, high = data.run.run_json["data"]["rating_range"]
    offsets = reference["rating.offsets"]
    groups = [(expected[a:b], got[a:b]) for a, b in pairwise(offsets)]
    several = [(e, g) for e, g in groups if len(e) > 1]
    before, after = (rmse(np.clip(rating, low, high), truth) for rating in (expected, got))
    resolution = score_resolution(expected, got)
    turned = [swaps(e, g, resolution) for e, g in several]
    return {
        "max_abs_diff": max_abs_diff(expected, got),
        "mean_abs_diff": mean_abs_diff(expected, got),
        "top_k_overlap": None,
        "top1_agreement": mean_defined([float(np.argmax(e) == np.argmax(g)) for e, g in several]),
        "kendall_tau": _order_kept(expected, got, several),
        "score_resolution": resolution,
        "flips": sum(flips for flips, _ in turned),
        "ties_swapped": sum(ties for _, ties in turned),
        **_quality("rmse", before, after, after - before),
    }


def _order_kept(expected: np.ndarray, got: np.ndarray, several: list[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """Mean Kendall's tau over queries of several items; over all answers where every query is about one (leave-last-out), and 1
    where the reference orders nothing at all."""
    within = mean_defined([kendall_tau(e, g) for e, g in several])
    if within is not None:
        return within
    return 1.0 if np.ptp(expected) == 0 else kendall_tau(expected, got)


def compare_retrieval(
    outputs: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], data: HeldOut
) -> dict[str, Any]:
    """Metrics of a retriever: `ids` int32[n_queries, k] and `scores` float32[n_queries, k] against every item's score.

    `seen_returned` counts masked items that came back with a finite score; any at all is a failure.
    """
    ids, masked = outputs["ids"], _masked(reference, data)
    best = top_k(masked, ids.shape[1])
    return {
        **_lists(ids, outputs["scores"], best, masked),
        **_quality_of_lists("recall_at_100", ids, best, data),
        "ndcg_at_10": _mean_over(ids, data, lambda found, truth: ndcg_at_k(found, truth, 10)),
    }


def compare_queries(
    outputs: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], data: HeldOut
) -> dict[str, Any]:
    """Metrics of a query encoder: differences of `query` float32[n_queries, 1, d] itself; lists and quality by scoring the
    exact candidates with it."""
    expected = reference["query"]
    got = outputs["query"].reshape(expected.shape)
    masked = _masked(reference, data)
    scores = np.where(np.isfinite(masked), got @ np.load(data.run.trained / "candidates.npy").T, -np.inf)
    k = min(QUALITY_K, masked.shape[1])
    best, ids = top_k(masked, k), top_k(scores, k)
    lists = _lists(ids, np.take_along_axis(scores, ids, axis=1), best, masked)
    return {
        **lists,
        "max_abs_diff": max_abs_diff(expected, got),
        "mean_abs_diff": mean_abs_diff(expected, got),
        "norm_drift": norm_drift(expected, got),
        **_quality_of_lists("recall_at_100", ids, best, data),
    }


def compare_recommendations(
    outputs: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], data: HeldOut
) -> dict[str, Any]:
    """Metrics of the cascade: `ids`, `scores` (what they are ordered by) and `rating`, each [n_queries, k], against retrieving and
    then ranking with the SavedModels. Quality is NDCG@10 of the final order."""
    ids, masked, stars = outputs["ids"], _masked(reference, data), reference["catalogue_rating"]
    final = masked + STARS_WEIGHT * stars
    retrieved = top_k(masked, ids.shape[1])
    order = np.argsort(-np.take_along_axis(final, retrieved, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(retrieved, order, axis=1)
    rating = np.take_along_axis(stars, ids, axis=1)
    return {
        **_lists(ids, outputs["scores"], best, final),
        **_quality_of_lists("ndcg_at_10", ids, best, data),
        "rating_max_abs_diff": max_abs_diff(rating, outputs["rating"]),
    }


def _masked(reference: Mapping[str, np.ndarray], data: HeldOut) -> np.ndarray:
    """Every item's reference score, float32[n_queries, n_items], minus infinity where the user has seen it."""
    masked = np.array(reference["scores"], np.float32)
    for row, query in enumerate(data.queries):
        masked[row, query.seen] = -np.inf
    return masked


def _lists(ids: np.ndarray, scores: np.ndarray, best: np.ndarray, masked: np.ndarray) -> dict[str, Any]:
    finite = scores > MASKED_BELOW
    expected = np.take_along_axis(masked, ids, axis=1)
    comparable = finite & np.isfinite(expected)
    taus = [kendall_tau(expected[row, comparable[row]], scores[row, comparable[row]]) for row in range(len(ids))]
    resolution = score_resolution(expected[comparable], scores[comparable])
    turned = [
        swaps(expected[row, comparable[row]], scores[row, comparable[row]], resolution) for row in range(len(ids))
    ]
    pairs = list(zip(best.tolist(), ids.tolist(), strict=True))
    overlap = {
        f"overlap_at_{k}": float(np.mean([top_k_overlap(r, v, k) for r, v in pairs]))
        for k in (1, 10, 100)
        if k <= ids.shape[1]
    }
    return {
        "max_abs_diff": max_abs_diff(expected[comparable], scores[comparable]),
        "mean_abs_diff": mean_abs_diff(expected[comparable], scores[comparable]),
        "max_diff_of_range": max_abs_diff(expected[comparable], scores[comparable]) / (_span(masked) or 1.0),
        "top_k_overlap": float(np.mean([top_k_overlap(r, v, len(r)) for r, v in pairs])),
        **overlap,
        "top1_agreement": float(np.mean(best[:, 0] == ids[:, 0])),
        "rank_biased_overlap": float(np.mean([rank_biased_overlap(r, v) for r, v in pairs])),
        "kendall_tau": mean_defined(taus),
        "score_resolution": resolution,
        "flips": sum(flips for flips, _ in turned),
        "ties_swapped": sum(ties for _, ties in turned),
        "seen_returned": int(np.sum(finite & ~np.isfinite(expected))),
    }


def _span(scores: np.ndarray) -> float:
    finite = scores[np.isfinite(scores)]
    return float(np.ptp(finite)) if finite.size else 0.0


_LIST_QUALITY: dict[str, Callable[[Any, Any], float]] = {
    "recall_at_100": lambda found, truth: recall_at_k(found, truth, QUALITY_K),
    "ndcg_at_10": lambda found, truth: ndcg_at_k(found, truth, 10),
}


def _quality_of_lists(metric: str, ids: np.ndarray, best: np.ndarray, data: HeldOut) -> dict[str, Any]:
    """Quality on both sides, the loss with its interval over users, and the loss by length of the history."""
    before, after = (_by_user(lists, data, _LIST_QUALITY[metric]) for lists in (best, ids))
    low, high = paired_interval(after, before)  # the loss is what the variant lacks
    return {
        **_quality(metric, float(before.mean()), float(after.mean()), float((before - after).mean())),
        "quality_loss_ci95": [low, high],
        "quality_loss_by_history": _by_tercile(before - after, np.array([len(query.seen) for query in data.queries])),
    }


def _by_tercile(loss: np.ndarray, size: np.ndarray) -> dict[str, float | None]:
    """Mean loss of the third of users with the shortest histories, the middle and the longest third; None for an empty third."""
    third = np.minimum(np.argsort(np.argsort(size, kind="stable")) * 3 // max(len(size), 1), 2)
    names = ("shortest", "middle", "longest")
    return {name: float(loss[third == n].mean()) if (third == n).any() else None for n, name in enumerate(names)}


def _by_user(lists: np.ndarray, data: HeldOut, measure: Callable[[Any, Any], float]) -> np.ndarray:
    return np.array([measure(found, query.items) for found, query in zip(lists, data.queries, strict=True)])


def _mean_over(lists: np.ndarray, data: HeldOut, measure: Callable[[Any, Any], float]) -> float:
    return float(_by_user(lists, data, measure).mean())


def _quality(metric: str, before: float, after: float, loss: float) -> dict[str, Any]:
    return {
        "quality_metric": metric,
        "quality_reference": before,
        "quality_variant": after,
        "quality_delta": after - before,
        "quality_loss": loss,
    }


@dataclass(frozen=True)
class Comparison:
    """How a graph's answers are compared: the outputs it must have, and the function from outputs to metrics."""

    outputs: frozenset[str]
    compare: Callable[[Mapping[str, np.ndarray], Mapping[str, np.ndarray], HeldOut], dict[str, Any]]


COMPARISONS = {
    "ranker_strings": Comparison(frozenset({"rating"}), compare_ratings),
    "ranker": Comparison(frozenset({"rating"}), compare_ratings),
    "query_encoder": Comparison(frozenset({"query"}), compare_queries),
    "retriever": Comparison(frozenset({"ids", "scores"}), compare_retrieval),
    "recommender": Comparison(frozenset({"ids", "scores", "rating"}), compare_recommendations),
}


def invalid_outputs(graph: str, outputs: Mapping[str, np.ndarray], data: HeldOut) -> str:
    """Why outputs cannot be compared at all; '' when they can. Checked before any metric is computed."""
    wanted = COMPARISONS[graph].outputs
    missing = wanted - set(outputs)
    if missing:
        return f"outputs are missing: {', '.join(sorted(missing))}"
    for name, values in outputs.items():
        if values.dtype.kind == "f" and np.isnan(values).any():
            return f"output {name} holds NaN ({int(np.isnan(values).sum())} of {values.size})"
    if "ids" in wanted and (outputs["ids"].min() < 0 or outputs["ids"].max() >= len(data.items)):
        return f"output ids holds ids outside 0..{len(data.items) - 1}"
    counted = [len(row) for row in rows_of(outputs, next(iter(sorted(wanted))))]
    if wanted == {"rating"} and sum(counted) != sum(len(query.items) for query in data.queries):
        return f"output rating holds {sum(counted)} values for {sum(len(q.items) for q in data.queries)} pairs"
    return ""
