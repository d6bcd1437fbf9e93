"""How far what a graph computes on its way is from a reference."""

from collections.abc import Sequence

import numpy as np

# Values of these types are numbers; others are names of things, which are equal or not.
_NUMBERS = ("float16", "float32", "int8", "uint8", "int16")


def worst_share(expected: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> float:
    """Largest difference of one tensor over all queries, as a share of the range of the expected values.

    Of int32, int64 and bool it is the share of values that differ: positions and ids are no quantities. A tensor that is constant
    is measured by its size. Infinite where shapes differ, or where a number is expected and there is none.
    """
    if len(expected) != len(got) or any(a.shape != b.shape for a, b in zip(expected, got, strict=True)):
        return float("inf")
    if not any(row.size for row in expected):
        return 0.0
    before, after = (np.concatenate([row.reshape(-1) for row in rows]) for rows in (expected, got))
    if before.dtype.name not in _NUMBERS:
        return float(np.mean(before != after))
    before, after = before.astype(np.float64), after.astype(np.float64)
    finite = np.isfinite(before)
    if (before[~finite] != after[~finite])[~np.isnan(before[~finite])].any() or not np.isfinite(after[finite]).all():
        return float("inf")
    known = before[finite]
    span = (float(np.ptp(known)) or float(np.abs(known).max())) if known.size else 0.0
    return float(np.max(np.abs(after[finite] - known), initial=0.0)) / (span or 1.0)


def shares_by_query(expected: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> np.ndarray:
    """float64[n_queries]: `worst_share` of each query alone."""
    return np.array([worst_share([a], [b]) for a, b in zip(expected, got, strict=True)])
