"""A variant's raw outputs against the reference: metrics by graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.metrics import top_k
from ...core.queries.packing import rows_of
from .agreement import max_abs_diff, mean_abs_diff, norm_drift
from .outputs import Lists, Ratings
from .quality_loss import LIST_QUALITY, QUALITY_K, list_quality, rating_quality
from .reference import Reference

Outputs = Mapping[str, np.ndarray]


def _ratings(outputs: Outputs, reference: Reference) -> Ratings:
    items = np.concatenate([query.items for query in reference.queries])
    return Ratings(reference["rating"], outputs["rating"].reshape(-1), reference["rating.offsets"], items)


def _retrieved(outputs: Outputs, reference: Reference) -> Lists:
    ids = outputs["ids"]
    return Lists(ids, outputs["scores"], reference.best(ids.shape[1]), reference.masked)


def _searched(outputs: Outputs, reference: Reference) -> Lists:
    """What a query encoder's vectors find among the exact candidates."""
    masked = reference.masked
    scores = outputs["query"].reshape(reference["query"].shape) @ reference.candidates.T
    scores = np.where(np.isfinite(masked), scores, -np.inf)
    ids = top_k(scores, QUALITY_K)
    return Lists(ids, np.take_along_axis(scores, ids, axis=1), reference.best(ids.shape[1]), masked)


def _recommended(outputs: Outputs, reference: Reference) -> Lists:
    """The cascade against retrieving and then ranking with the SavedModels."""
    ids = outputs["ids"]
    return Lists(ids, outputs["scores"], reference.best_ranked(ids.shape[1]), reference.final)


def compare_ratings(outputs: Outputs, reference: Reference) -> dict[str, Any]:
    """Metrics of a ranker: `rating` flat over all queries on both sides, quality as RMSE in stars."""
    answers = _ratings(outputs, reference)
    return {**answers.metrics(), **rating_quality(answers.expected, answers.got, reference)}


def compare_retrieval(outputs: Outputs, reference: Reference) -> dict[str, Any]:
    """Metrics of a retriever: `ids` int32[n_queries, k] and `scores` float32[n_queries, k] against every item's score.

    `seen_returned` counts masked items that came back with a finite score; any at all is a failure.
    """
    lists = _retrieved(outputs, reference)
    hits = np.take_along_axis(reference.truth_mask, lists.ids, axis=1)
    ndcg = LIST_QUALITY["ndcg_at_10"](hits, reference.truth_mask.sum(axis=1))
    return {
        **lists.metrics(),
        **list_quality("recall_at_100", lists.ids, lists.best, reference),
        "ndcg_at_10": float(ndcg.mean()),
    }


def compare_queries(outputs: Outputs, reference: Reference) -> dict[str, Any]:
    """Metrics of a query encoder: differences of `query` float32[n_queries, 1, d] itself; lists and quality by scoring the
    exact candidates with it."""
    expected, lists = reference["query"], _searched(outputs, reference)
    got = outputs["query"].reshape(expected.shape)
    return {
        **lists.metrics(),
        "max_abs_diff": max_abs_diff(expected, got),
        "mean_abs_diff": mean_abs_diff(expected, got),
        "norm_drift": norm_drift(expected, got),
        **list_quality("recall_at_100", lists.ids, lists.best, reference),
    }


def compare_recommendations(outputs: Outputs, reference: Reference) -> dict[str, Any]:
    """Metrics of the cascade: `ids`, `scores` (what they are ordered by) and `rating`, each [n_queries, k]. Quality is NDCG@10 of
    the final order."""
    lists = _recommended(outputs, reference)
    rating = np.take_along_axis(reference["catalogue_rating"], lists.ids, axis=1)
    return {
        **lists.metrics(),
        **list_quality("ndcg_at_10", lists.ids, lists.best, reference),
        "rating_max_abs_diff": max_abs_diff(rating, outputs["rating"]),
    }


@dataclass(frozen=True)
class Comparison:
    """How a graph's answers are compared.

    Attributes:
        outputs: those it must have.
        compare: outputs and reference to metrics.
        beside: outputs and reference to the answers side by side.
    """

    outputs: frozenset[str]
    compare: Callable[[Outputs, Reference], dict[str, Any]]
    beside: Callable[[Outputs, Reference], Lists | Ratings]


_RANKER = Comparison(frozenset({"rating"}), compare_ratings, _ratings)
COMPARISONS = {
    "ranker_strings": _RANKER,
    "ranker": _RANKER,
    "query_encoder": Comparison(frozenset({"query"}), compare_queries, _searched),
    "retriever": Comparison(frozenset({"ids", "scores"}), compare_retrieval, _retrieved),
    "recommender": Comparison(frozenset({"ids", "scores", "rating"}), compare_recommendations, _recommended),
}


def invalid_outputs(graph: str, outputs: Outputs, reference: Reference) -> str:
    """Why outputs cannot be compared at all; '' when they can. Checked before any metric is computed."""
    wanted = COMPARISONS[graph].outputs
    missing = wanted - set(outputs)
    if missing:
        return f"outputs are missing: {', '.join(sorted(missing))}"
    for name, values in outputs.items():
        if values.dtype.kind == "f" and np.isnan(values).any():
            return f"output {name} holds NaN ({int(np.isnan(values).sum())} of {values.size})"
    if "ids" in wanted and (outputs["ids"].min() < 0 or outputs["ids"].max() >= reference.n_items):
        return f"output ids holds ids outside 0..{reference.n_items - 1}"
    counted = [len(row) for row in rows_of(outputs, next(iter(sorted(wanted))))]
    if wanted == {"rating"} and sum(counted) != len(reference["rating"]):
        return f"output rating holds {sum(counted)} values for {len(reference['rating'])} pairs"
    return ""
