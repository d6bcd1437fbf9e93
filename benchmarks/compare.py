"""A variant's raw outputs against the reference: metrics by graph."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from ..convert.graphs import MASKED_BELOW
from ..train.metrics import ndcg_at_k, recall_at_k, rmse, top_k
from .measures import kendall_tau, max_abs_diff, mean_abs_diff, mean_defined, top_k_overlap
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
    return {
        "max_abs_diff": max_abs_diff(expected, got),
        "mean_abs_diff": mean_abs_diff(expected, got),
        "top_k_overlap": None,
        "top1_agreement": mean_defined([float(np.argmax(e) == np.argmax(g)) for e, g in several]),
        "kendall_tau": mean_defined([kendall_tau(e, g) for e, g in several]),
        **_quality("rmse", before, after, after - before),
    }


def compare_retrieval(
    outputs: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], data: HeldOut
) -> dict[str, Any]:
    """Metrics of a retriever: `ids` int32[n_queries, k] and `scores` float32[n_queries, k] against every item's score.

    `seen_returned` counts masked items that came back with a finite score; any at all is a failure.
    """
    ids, scores = outputs["ids"], outputs["scores"]
    k = ids.shape[1]
    masked = np.array(reference["scores"], np.float32)
    for row, query in enumerate(data.queries):
        masked[row, query.seen] = -np.inf
    best = top_k(masked, k)
    finite = scores > MASKED_BELOW
    expected = np.take_along_axis(masked, ids, axis=1)
    comparable = finite & np.isfinite(expected)
    taus = [kendall_tau(expected[row, comparable[row]], scores[row, comparable[row]]) for row in range(len(ids))]
    truth = [query.items for query in data.queries]
    before, after = (
        float(np.mean([recall_at_k(r, t, QUALITY_K) for r, t in zip(lists, truth, strict=True)]))
        for lists in (best, ids)
    )
    return {
        "max_abs_diff": max_abs_diff(expected[comparable], scores[comparable]),
        "mean_abs_diff": mean_abs_diff(expected[comparable], scores[comparable]),
        "top_k_overlap": float(np.mean([top_k_overlap(r, v, k) for r, v in zip(best, ids, strict=True)])),
        "top1_agreement": float(np.mean(best[:, 0] == ids[:, 0])),
        "kendall_tau": mean_defined(taus),
        **_quality(f"recall_at_{QUALITY_K}", before, after, before - after),
        "seen_returned": int(np.sum(finite & ~np.isfinite(expected))),
        "ndcg_at_10": float(np.mean([ndcg_at_k(v, t, 10) for v, t in zip(ids, truth, strict=True)])),
    }


def _quality(metric: str, before: float, after: float, loss: float) -> dict[str, Any]:
    return {
        "quality_metric": metric,
        "quality_reference": before,
        "quality_variant": after,
        "quality_delta": after - before,
        "quality_loss": loss,
    }


COMPARISONS = {"ranker_strings": compare_ratings, "ranker": compare_ratings, "retriever": compare_retrieval}


def invalid_outputs(graph: str, outputs: Mapping[str, np.ndarray], data: HeldOut) -> str:
    """Why outputs cannot be compared at all; '' when they can. Checked before any metric is computed."""
    wanted = {"rating"} if graph.startswith("ranker") else {"ids", "scores"}
    missing = wanted - set(outputs)
    if missing:
        return f"outputs are missing: {', '.join(sorted(missing))}"
    for name, values in outputs.items():
        if values.dtype.kind == "f" and np.isnan(values).any():
            return f"output {name} holds NaN ({int(np.isnan(values).sum())} of {values.size})"
    if "ids" in wanted and (outputs["ids"].min() < 0 or outputs["ids"].max() >= len(data.items)):
        return f"output ids holds ids outside 0..{len(data.items) - 1}"
    counted = [len(row) for row in rows_of(outputs, next(iter(sorted(wanted))))]
    if "rating" in wanted and sum(counted) != sum(len(query.items) for query in data.queries):
        return f"output rating holds {sum(counted)} values for {sum(len(q.items) for q in data.queries)} pairs"
    return ""
