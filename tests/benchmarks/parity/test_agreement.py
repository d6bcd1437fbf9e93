import numpy as np
import pytest
from pocketrec.benchmarks.parity.agreement import (
    kendall_tau,
    max_abs_diff,
    mean_abs_diff,
    mean_defined,
    norm_drift,
    paired_interval,
    paired_rmse_interval,
    rank_biased_overlap,
    score_resolution,
    swaps,
    top_k_overlap,
)


def test_differences_of_known_arrays():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    assert max_abs_diff(a, b) == 1.0 and mean_abs_diff(a, b) == 0.5
    assert max_abs_diff(a[:0], b[:0]) == 0.0 and mean_abs_diff(a[:0], b[:0]) == 0.0


def test_overlap_ignores_order_but_not_membership():
    assert top_k_overlap([1, 2, 3, 4], [4, 3, 9, 8], 2) == 0.0
    assert top_k_overlap([1, 2, 3, 4], [2, 1, 4, 9], 4) == 0.75


def test_kendall_tau_of_one_swap_among_three():
    assert kendall_tau(np.array([3.0, 2.0, 1.0]), np.array([2.0, 3.0, 1.0])) == pytest.approx(1 / 3)
    assert kendall_tau(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 1.0


def test_kendall_tau_counted_by_pairs_is_scipys():
    from scipy.stats import kendalltau

    rng = np.random.default_rng(0)
    for n in (2, 3, 50, 200, 201):
        a, b = rng.integers(0, 9, n).astype(np.float32), rng.normal(size=n).astype(np.float32)
        a[0], a[1] = 0, 1
        assert kendall_tau(a, b) == pytest.approx(float(kendalltau(a, b).statistic), abs=1e-12)


def test_kendall_tau_is_undefined_for_one_item_and_for_ties_only():
    assert kendall_tau(np.array([1.0]), np.array([2.0])) is None
    assert kendall_tau(np.array([1.0, 1.0]), np.array([1.0, 2.0])) is None
    assert mean_defined([None, 1.0, 0.0]) == 0.5 and mean_defined([None]) is None


@pytest.mark.parametrize(
    ("variant", "expected"),
    # By hand, p = 0.9: agreement at depths 1, 2, 3 is 1, 1, 1; 0, 1, 1; 1, 1, 2/3; 0, 0, 0.
    [([1, 2, 3], 1.0), ([2, 1, 3], 0.9), ([1, 2, 9], 2 / 3 * 0.729 + 0.1 * (1 + 0.9 + 2 / 3 * 0.81)), ([7, 8, 9], 0.0)],
)
def test_rank_biased_overlap_by_hand(variant, expected):
    assert rank_biased_overlap([1, 2, 3], variant) == pytest.approx(expected, abs=1e-12)


def test_norm_drift_is_the_mean_relative_growth():
    reference = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    assert norm_drift(reference, np.array([[6.0, 8.0], [0.0, 1.0], [0.0, 0.0]])) == pytest.approx((1.0 - 0.5 + 0) / 3)


def test_swaps_within_the_noise_are_ties_and_others_flips():
    reference, variant = np.array([5.0, 4.0, 3.9, 1.0]), np.array([4.0, 5.0, 5.1, 1.0])
    assert swaps(reference, variant, 0.5) == (1, 1)  # 5 and 4 are told apart, 4 and 3.9 are not
    assert swaps(reference, reference, 0.5) == (0, 0)
    assert score_resolution(np.zeros(4), np.array([1.0, -1.0, 1.0, -1.0])) == pytest.approx(2 * 2**0.5)


def test_paired_interval_holds_the_mean_and_is_reproducible():
    from scipy.stats import bootstrap

    rng = np.random.default_rng(0)
    before = rng.normal(size=400)
    after = before + rng.normal(0.3, 1, size=400)
    low, high = paired_interval(before, after)
    assert low < float((after - before).mean()) < high and (low, high) == paired_interval(before, after)
    scipys = bootstrap((after - before,), np.mean, method="percentile", random_state=1, n_resamples=2000)
    assert (low, high) == pytest.approx(tuple(scipys.confidence_interval), abs=0.02)
    assert paired_interval(before, before) == (0.0, 0.0)


def test_interval_of_two_errors_draws_users_not_ratings():
    rng = np.random.default_rng(0)
    before, counts = rng.gamma(2.0, size=300), rng.integers(1, 20, 300)
    assert paired_rmse_interval(before, before, counts) == (0.0, 0.0)
    low, high = paired_rmse_interval(before, before * 1.21, counts)  # every error a tenth larger
    rmse = float(np.sqrt(before.sum() / counts.sum()))
    assert low < 0.1 * rmse < high and high - low < 0.05 * rmse
