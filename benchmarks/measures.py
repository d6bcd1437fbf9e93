"""How far a variant's answer is from the reference's: pure functions of arrays."""

from collections.abc import Sequence

import numpy as np


def max_abs_diff(reference: np.ndarray, variant: np.ndarray) -> float:
    """Largest absolute difference, in the outputs' unit; 0 for no values."""
    return float(np.max(np.abs(_float64(variant) - _float64(reference)), initial=0.0))


def mean_abs_diff(reference: np.ndarray, variant: np.ndarray) -> float:
    """Mean absolute difference, in the outputs' unit; 0 for no values."""
    return float(np.mean(np.abs(_float64(variant) - _float64(reference)))) if np.size(reference) else 0.0


def top_k_overlap(reference: Sequence[int] | np.ndarray, variant: Sequence[int] | np.ndarray, k: int) -> float:
    """Share of the reference's first `k` ids that are among the variant's first `k`, whatever their order."""
    wanted = np.asarray(reference)[:k]
    return len(np.intersect1d(wanted, np.asarray(variant)[:k])) / len(wanted)


def kendall_tau(reference: np.ndarray, variant: np.ndarray) -> float | None:
    """Kendall's tau-b between two scorings of the same items (Kendall 1945); None where it is undefined.

    Undefined: fewer than two items, or all equal on one side.
    """
    from scipy.stats import kendalltau

    if len(reference) < 2 or np.ptp(reference) == 0 or np.ptp(variant) == 0:
        return None
    return float(kendalltau(reference, variant).statistic)


def mean_defined(values: Sequence[float | None]) -> float | None:
    """Mean of the values that are not None; None when there are none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _float64(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)
