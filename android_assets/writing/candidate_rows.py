"""Candidate vectors as a recipe stores them, and what lists found with them are worth beside the SavedModels'."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...benchmarks.parity.gates import Gate
from ...benchmarks.parity.outputs import Lists
from ...benchmarks.parity.quality_loss import QUALITY_K, list_quality
from ...benchmarks.parity.reference import Reference
from ...convert.quantize.recipes import RECIPES
from ...core.errors import CheckFailed
from ...core.metrics import top_k

# What a row is judged by: a retriever of the same recipe answers the same question.
JUDGED_AS = "retriever"


_LEVELS = 127


def stored_rows(candidates: np.ndarray, recipe: str) -> tuple[np.ndarray, float | None]:
    """Candidate vectors as they are stored under a recipe.

    Args:
        candidates: float32[n, d].

    Returns:
        float32[n, d] and None for `float32` and `float16`; otherwise int8[n, d] and one scale, set by the largest element: a row is
        about `codes * scale`.
    """
    if RECIPES[recipe].candidates_dtype == "float32":
        return candidates.astype("<f4"), None
    scale = float(np.abs(candidates).max(initial=0)) / _LEVELS or 1.0
    return np.clip(np.rint(candidates / scale), -_LEVELS, _LEVELS).astype(np.int8), scale


def judge_rows(
    queries: np.ndarray, rows: np.ndarray, scale: float | None, reference: Reference, gate: Gate | None
) -> dict[str, Any]:
    """What an encoder's vectors find among stored rows, against the SavedModels' lists: `status`, `reason`, `metrics`.

    Args:
        queries: float32[n_queries, d], by the bundled encoder.
    """
    if gate is None:
        return {"status": "fail", "reason": f"no gate for {JUDGED_AS}", "n_queries": len(queries), "metrics": {}}
    known = np.asarray(rows, np.float32) * np.float32(1 if scale is None else scale)
    scores = np.where(np.isfinite(reference.masked), queries @ known.T, -np.inf).astype(np.float32)
    ids = top_k(scores, QUALITY_K)
    lists = Lists(ids, np.take_along_axis(scores, ids, axis=1), reference.best(ids.shape[1]), reference.masked)
    metrics = {**lists.metrics(), **list_quality("recall_at_100", lists.ids, lists.best, reference)}
    misses = gate.misses(metrics)
    status = "fail" if misses else "pass"
    return {"status": status, "reason": "; ".join(misses), "n_queries": len(queries), "metrics": metrics}


def require_passed(results: Sequence[Mapping[str, Any]]) -> None:
    """Raises:
    CheckFailed: a row of `judge_rows` missed its gate.
    """
    for row in results:
        if row["status"] != "pass":
            raise CheckFailed(f"the split layout may not be bundled: {row['reason']} on {row['runtime']}")
