"""How far a variant's outputs are from the reference's: pure functions of arrays."""

from collections.abc import Sequence

import numpy as np

# Lists up to this length have Kendall's tau counted pair by pair.
_PAIRED_ITEMS = 200


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

    Undefined: fewer than two items, or all equal on one side. Short lists are counted pair by pair, which is several times faster
    than SciPy's sort for them; the same number to the last digits.
    """
    if len(reference) < 2 or np.ptp(reference) == 0 or np.ptp(variant) == 0:
        return None
    if len(reference) > _PAIRED_ITEMS:
        from scipy.stats import kendalltau

        return float(np.asarray(kendalltau(reference, variant))[0])
    before, after = (np.sign(np.subtract.outer(v, v)).astype(np.int8) for v in (reference, variant))
    agreeing = int(np.sum(before * after, dtype=np.int64))
    return agreeing / float(np.sqrt(np.count_nonzero(before) * np.count_nonzero(after)))


def rank_biased_overlap(reference: Sequence[int], variant: Sequence[int], p: float = 0.9) -> float:
    """Rank-biased overlap of two lists of equal length, extrapolated to endless ones: 1 for the same order, 0 for no common id.

    Every depth counts 1 - `p` of what the one before it did (Webber, Moffat and Zobel 2010, equation 23 for equal lengths).
    """
    k, seen_a, seen_b, overlap, total = len(reference), set(), set(), 0, 0.0
    for depth, (a, b) in enumerate(zip(reference, variant, strict=True), start=1):
        overlap += (a == b) + (a in seen_b) + (b in seen_a)
        seen_a.add(a)
        seen_b.add(b)
        total += overlap / depth * p**depth
    return overlap / k * p**k + (1 - p) / p * total


def norm_drift(reference: np.ndarray, variant: np.ndarray) -> float:
    """How much longer the variant's vectors are, as a share of the reference's length, mean over rows; 0 where both are zero."""
    before, after = (np.linalg.norm(_float64(values), axis=-1) for values in (reference, variant))
    return float(np.mean(np.where(before > 0, after / np.where(before > 0, before, 1) - 1, 0.0)))


def score_resolution(reference: np.ndarray, variant: np.ndarray) -> float:
    """The smallest difference of two reference scores that the variant can tell from its own noise: two standard deviations of the
    difference of two errors, 2 * sqrt(2) * root mean square error; 0 for no scores."""
    if not len(reference):
        return 0.0
    return float(2 * np.sqrt(2) * np.sqrt(np.mean((_float64(variant) - _float64(reference)) ** 2)))


def swaps(reference: np.ndarray, variant: np.ndarray, resolution: float) -> tuple[int, int]:
    """Neighbours in the reference's order that the variant swaps: (flips, ties).

    A swap is a tie where the reference scores differ by less than `resolution`.
    """
    order = np.argsort(-_float64(reference), kind="stable")
    gaps, swapped = -np.diff(_float64(reference)[order]), np.diff(_float64(variant)[order]) > 0
    return int(np.sum(swapped & (gaps >= resolution))), int(np.sum(swapped & (gaps < resolution)))


def paired_interval(reference: np.ndarray, variant: np.ndarray, *, n: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95% bootstrap percentile interval of the mean difference (variant - reference) over users (Efron and Tibshirani 1993, 13)."""
    difference = _float64(variant) - _float64(reference)
    rows = np.random.default_rng(seed).integers(0, len(difference), (n, len(difference)))
    low, high = np.quantile(difference[rows].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def paired_rmse_interval(
    reference: np.ndarray, variant: np.ndarray, counts: np.ndarray, *, n: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95% bootstrap percentile interval of the difference of two root mean square errors (variant - reference), users drawn.

    Args:
        reference, variant: float64[n_users], sums of squared errors.
        counts: int64[n_users], how many errors each sum holds.
    """
    weights = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), n)
    total = weights @ counts
    difference = np.sqrt(weights @ _float64(variant) / total) - np.sqrt(weights @ _float64(reference) / total)
    low, high = np.quantile(difference, [0.025, 0.975])
    return float(low), float(high)


def mean_defined(values: Sequence[float | None]) -> float | None:
    """Mean of the values that are not None; None when there are none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _float64(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)
