import numpy as np
import pytest
from pocketrec.benchmarks.percentiles import interval, order_statistic_ranks, percentile, summarize


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
    assert (summary["n_samples"], summary["n_processes"], summary["p90_us"]) == (1000, 2, 3.0)
    assert summary["p50_us_by_process"] == [1.0, 3.0]
