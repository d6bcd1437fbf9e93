"""What a full scan costs: time = fixed + bytes / bandwidth + top_k_per_element * n, fitted to measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

BYTES = {"full_scan": 1, "full_scan_float32": 4}  # an element of a row
_LEAST_ROWS = 4


def fit_cost(bytes_read: np.ndarray, n_items: np.ndarray, time_us: np.ndarray) -> tuple[float, float, float]:
    """Least squares without negative coefficients (Lawson and Hanson 1974), over relative errors: sizes span decades.

    Args:
        bytes_read, n_items, time_us: float64[m], one measurement each; rows of different width an item tell reading from
            sorting.

    Returns:
        fixed microseconds, microseconds a byte, microseconds an item.
    """
    from scipy.optimize import nnls

    columns = np.stack([np.ones(len(time_us)), bytes_read, n_items], axis=1) / np.asarray(time_us)[:, None]
    size = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    found, _ = nnls(columns / size, np.ones(len(time_us)))
    fixed, a_byte, an_item = (float(value) for value in found / size)
    return fixed, a_byte, an_item


def cost_models(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One model for each runtime and number of threads that was measured on two sizes and more, with its residuals.

    Returns:
        runtime, threads, `fixed_us`, `bandwidth_gb_s` (null where reading costs nothing that can be told),
        `top_k_ns_per_element`, `max_residual`, and `residuals`: form, n_items, bytes_read, p50_us, fitted_us, residual (a share).
    """
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in results:
        if row.get("form") in BYTES and row["p50_us"] is not None:
            groups.setdefault((row["runtime"], row["threads"]), []).append(row)
    return [_model(*key, rows) for key, rows in groups.items() if len(rows) >= _LEAST_ROWS]


def _model(runtime: str, threads: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    n = np.array([row["n_items"] for row in rows], np.float64)
    read = np.array([BYTES[row["form"]] * row["n_items"] * row["dimension"] for row in rows], np.float64)
    time = np.array([row["p50_us"] for row in rows])
    fixed, a_byte, an_item = fit_cost(read, n, time)
    fitted = fixed + a_byte * read + an_item * n
    residuals = [
        {
            "form": row["form"], "n_items": row["n_items"], "bytes_read": int(read[i]), "p50_us": row["p50_us"],
            "fitted_us": float(fitted[i]), "residual": float(time[i] / fitted[i] - 1),
        }
        for i, row in enumerate(rows)
    ]  # fmt: skip
    return {
        "runtime": runtime,
        "threads": threads,
        "fixed_us": fixed,
        "bandwidth_gb_s": 1e-3 / a_byte if a_byte > 0 else None,
        "top_k_ns_per_element": an_item * 1e3,
        "max_residual": max(abs(row["residual"]) for row in residuals),
        "residuals": residuals,
    }
