"""Percentiles of raw samples with order-statistic intervals: pure functions."""

import math

import numpy as np

from ...core.records.latency import Interval, Timing


def order_statistic_ranks(n: int, q: float, confidence: float = 0.95) -> tuple[int, int] | None:
    """1-based ranks between which quantile `q` of `n` independent samples lies with `confidence`.

    Source: binomial order-statistic interval, Conover 1999, section 3.2. None when the sample is too small, that is when a rank
    would fall outside 1..n.
    """
    from scipy.stats import binom

    tail = (1 - confidence) / 2
    low, high = int(binom.ppf(tail, n, q)), int(binom.ppf(1 - tail, n, q)) + 1
    return (low, high) if low >= 1 and high <= n else None


def percentile(samples: np.ndarray, q: float) -> float | None:
    """Nearest-rank quantile `q` of `samples`, None when there are too few of them for its 95% interval to exist."""
    if order_statistic_ranks(len(samples), q) is None:
        return None
    return float(np.sort(samples)[math.ceil(q * len(samples)) - 1])


def interval(samples: np.ndarray, q: float) -> Interval | None:
    """95% interval of quantile `q`, low and high; None when there are too few samples.

    It assumes independent calls. They are not quite independent, so compare processes too.
    """
    ranks = order_statistic_ranks(len(samples), q)
    if ranks is None:
        return None
    ordered = np.sort(samples)
    return float(ordered[ranks[0] - 1]), float(ordered[ranks[1] - 1])


def early_stopping(samples: np.ndarray, q: float, confidence: float = 0.99) -> float | None:
    """MLPerf's early-stopping estimate of quantile `q`: for independent calls an upper bound with `confidence`; None for too few.

    Source: MLPerf Inference's load generator, early stopping with tolerance 0: the sample of rank h + 1, where h is the
    smallest number such that h or more of n samples lie below the quantile with a probability of at most 1 - `confidence`
    (n = 1,024, q = 0.9: rank 945).
    """
    from scipy.stats import binom

    n = len(samples)
    enough = np.flatnonzero(binom.sf(np.arange(n) - 1, n, q) <= 1 - confidence)
    return float(np.sort(samples)[enough[0]]) if len(enough) else None


def spread(p50_by_process: list[float]) -> float:
    """How far processes lie apart: largest minus smallest median, over the median of medians."""
    return float(np.ptp(p50_by_process) / np.median(p50_by_process))


def summarize(samples_ns: np.ndarray) -> Timing:
    """Latency figures from int64[n_processes, n] nanoseconds."""
    pooled = np.sort(samples_ns.reshape(-1)) / 1e3
    by_process = [float(np.median(row)) / 1e3 for row in samples_ns]
    return Timing(
        n_samples=int(pooled.size),
        n_processes=int(samples_ns.shape[0]),
        p50_us=percentile(pooled, 0.50),
        p90_us=percentile(pooled, 0.90),
        p99_us=percentile(pooled, 0.99),
        ci95_p50_us=interval(pooled, 0.50),
        ci95_p90_us=interval(pooled, 0.90),
        ci95_p99_us=interval(pooled, 0.99),
        p90_early_stopping_us=early_stopping(pooled, 0.90),
        p50_us_by_process=by_process,
        spread=spread(by_process),
    )
