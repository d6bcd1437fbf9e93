"""What a full scan costs: time = fixed + bytes / bandwidth + top_k_per_element * scores through a heap, fitted to measurements.

One heap takes every score, the two-stage top k only the blocks' maxima and k blocks: measured beside each other they tell apart
what grows with the catalogue alike. float32 rows would too, but leave a cache that int8 rows still fit into.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Bytes beside an item's codes, as LiteRT moves them: XNNPACK packs a scale, a sum of the codes and a bias with every row (12); its
# float32 score is written and read (8), and for the two-stage top k copied into blocks (8 more).
_BESIDE = {"full_scan": 20, "two_stage": 28}
_LEAST_ROWS = 4


def fit_cost(bytes_moved: np.ndarray, through_heap: np.ndarray, time_us: np.ndarray) -> tuple[float, float, float]:
    """Least squares without negative coefficients (Lawson and Hanson 1974), over relative errors: sizes span decades.

    Args:
        bytes_moved, through_heap, time_us: float64[m], one measurement each; forms that put different numbers of scores through
            a heap tell sorting from reading.

    Returns:
        fixed microseconds, microseconds a byte, microseconds a score.
    """
    from scipy.optimize import nnls

    columns = np.stack([np.ones(len(time_us)), bytes_moved, through_heap], axis=1) / np.asarray(time_us)[:, None]
    size = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    found, _ = nnls(columns / size, np.ones(len(time_us)))
    fixed, a_byte, an_item = (float(value) for value in found / size)
    return fixed, a_byte, an_item


def cost_models(results: Sequence[Mapping[str, Any]], read_gb_s: Mapping[int, float]) -> list[dict[str, Any]]:
    """One model for each runtime and number of threads that was measured on two sizes and more, with its residuals.

    A form's time is the median of the process that was quickest: other work on the machine only ever adds.

    Args:
        results: rows of latency.json.
        read_gb_s: by size of the catalogue, how fast plain reading is there.

    Returns:
        runtime, threads, `fixed_us`, `bandwidth_gb_s` (null where bytes cost nothing that can be told),
        `top_k_ns_per_element`, `max_residual`, and `residuals`: form, n_items, bytes_moved, through_heap, p50_us, fitted_us,
        residual (a share), and the share of plain reading that the bytes moved and the int8 rows alone come to.
    """
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in results:
        if row.get("form") in _BESIDE:
            groups.setdefault((row["runtime"], row["threads"]), []).append(row)
    return [_model(*key, rows, read_gb_s) for key, rows in groups.items() if len(rows) >= _LEAST_ROWS]


def bytes_moved(row: Mapping[str, Any]) -> int:
    """Bytes that a full scan reads and writes."""
    return row["n_items"] * (row["dimension"] + _BESIDE[row["form"]])


def through_heap(row: Mapping[str, Any]) -> int:
    """Scores that TOPK_V2 looks at."""
    size = row["settings"].get("block_size")
    return row["n_items"] if size is None else -(-row["n_items"] // size) + size * row["k"]


def _model(
    runtime: str, threads: int, rows: Sequence[Mapping[str, Any]], read_gb_s: Mapping[int, float]
) -> dict[str, Any]:
    moved, heaped = (np.array([count(row) for row in rows], np.float64) for count in (bytes_moved, through_heap))
    time = np.array([min(row["p50_us_by_process"]) for row in rows])  # the process least disturbed
    fixed, a_byte, a_score = fit_cost(moved, heaped, time)
    fitted = fixed + a_byte * moved + a_score * heaped
    residuals = []
    for i, row in enumerate(rows):
        plain = read_gb_s[row["n_items"]] * 1e3 * time[i]  # bytes that plain reading would have read meanwhile
        residuals.append(
            {
                "form": row["form"], "n_items": row["n_items"], "bytes_moved": int(moved[i]), "through_heap": int(heaped[i]),
                "p50_us": float(time[i]), "fitted_us": float(fitted[i]), "residual": float(time[i] / fitted[i] - 1),
                "moved_of_reading": float(moved[i] / plain),
                "rows_of_reading": float(row["n_items"] * row["dimension"] / plain),
            }
        )  # fmt: skip
    return {
        "runtime": runtime,
        "threads": threads,
        "fixed_us": fixed,
        "bandwidth_gb_s": 1e-3 / a_byte if a_byte > 0 else None,
        "top_k_ns_per_element": a_score * 1e3,
        "max_residual": max(abs(row["residual"]) for row in residuals),
        "residuals": residuals,
    }
