"""Estimates over users: against SciPy's bootstrap, and where there is nothing to estimate."""

import numpy as np
import pytest
from pocketrec.core import intervals
from pocketrec.core.intervals import estimates, mean_estimates
from scipy import stats

VALUES = np.random.default_rng(5).gamma(1.0, 0.2, (300, 2))


def test_the_interval_holds_the_mean_and_is_the_same_every_time():
    first, again = mean_estimates(VALUES), mean_estimates(VALUES)
    assert first == again
    for found, column in zip(first, VALUES.T, strict=True):
        assert found.value == pytest.approx(column.mean(), rel=1e-12) and found.users == 300
        assert found.ci95[0] < found.value < found.ci95[1]


def test_the_interval_is_scipys_within_the_noise_of_resampling():
    (found, _) = mean_estimates(VALUES)
    theirs = stats.bootstrap(
        (VALUES[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    )
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert found.ci95 == pytest.approx(tuple(theirs.confidence_interval), abs=0.1 * width)


def test_a_ratio_draws_numerator_and_denominator_of_a_user_together():
    counts = np.arange(1.0, 101.0)[:, None]
    (same,) = estimates(3 * counts, counts)
    assert same.value == 3 and same.ci95 == pytest.approx((3, 3))
    (root,) = estimates(4 * counts, counts, np.sqrt)
    assert root.value == 2 and root.ci95 == pytest.approx((2, 2))


def test_blocks_of_resamples_change_nothing_but_the_draws(monkeypatch):
    whole = mean_estimates(VALUES)[0]
    monkeypatch.setattr(intervals, "_MOST_DRAWS", 1)
    assert mean_estimates(VALUES)[0].ci95 == pytest.approx(whole.ci95, rel=0.05)


def test_one_user_has_no_interval_and_nobody_no_estimate():
    (one,) = mean_estimates(np.array([[0.5]]))
    assert (one.value, one.ci95, one.users) == (0.5, None, 1)
    assert mean_estimates(np.empty((0, 2))) == [None, None]
    assert estimates(np.zeros((3, 1)), np.zeros((3, 1))) == [None]
