import numpy as np
import pytest
from pocketrec.benchmarks.latency.statistics import (
    early_stopping,
    interval,
    order_statistic_ranks,
    percentile,
    spread,
    summarize,
)


@pytest.mark.parametrize(("q", "ranks"), [(0.5, (469, 532)), (0.9, (881, 920)), (0.99, (983, 998))])
def test_ranks_for_a_thousand_samples(q, ranks):
    low, high = order_statistic_ranks(1000, q)
    assert abs(low - ranks[0]) <= 1 and abs(high - ranks[1]) <= 1


def test_ranks_hold_the_confidence_they_promise():
    from scipy.stats import binom

    for q in (0.5, 0.9, 0.99):
        low, high = order_statistic_ranks(1000, q)
        assert binom.cdf(high - 1, 1000, q) - binom.cdf(low - 1, 1000, q) >= 0.95


def test_a_percentile_the_sample_cannot_support_is_none():
    samples = np.arange(50)
    assert percentile(samples, 0.99) is None and interval(samples, 0.99) is None
    assert percentile(samples, 0.5) == 24


def test_percentile_is_the_nearest_rank():
    assert percentile(np.arange(1000)[::-1], 0.9) == 899


def test_summary_is_in_microseconds_and_counts_processes():
    summary = summarize(np.array([[1000] * 500, [3000] * 500]))
    assert (summary.n_samples, summary.n_processes, summary.p90_us) == (1000, 2, 3.0)
    assert summary.p50_us_by_process == [1.0, 3.0] and summary.spread == 1.0


def test_summary_agrees_with_numpy_and_scipy():
    """Against NumPy's own nearest-rank quantile and SciPy's exact interval of a quantile."""
    from scipy.stats import quantile_test

    samples = np.random.default_rng(0).integers(1_000, 90_000, (3, 500))
    summary, pooled = summarize(samples), samples.ravel() / 1e3
    for q, value, bounds in (
        (0.5, summary.p50_us, summary.ci95_p50_us),
        (0.9, summary.p90_us, summary.ci95_p90_us),
        (0.99, summary.p99_us, summary.ci95_p99_us),
    ):
        assert value == np.quantile(pooled, q, method="inverted_cdf")
        exact = quantile_test(pooled, p=q).confidence_interval(0.95)
        rank = lambda found: np.searchsorted(np.sort(pooled), found)  # noqa: E731
        assert abs(rank(bounds[0]) - rank(exact.low)) <= 1 and abs(rank(bounds[1]) - rank(exact.high)) <= 1


def test_early_stopping_is_mlperfs_rank():
    assert early_stopping(np.arange(1, 1025)[::-1], 0.9) == 945
    assert early_stopping(np.arange(1, 24577), 0.9) > 0.9 * 24576
    assert early_stopping(np.arange(20), 0.9) is None


def test_spread_is_the_widest_gap_of_processes_over_their_median():
    assert spread([10.0, 11.0, 12.0]) == pytest.approx(2 / 11) and spread([3.0]) == 0.0
