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
from pocketrec.benchmarks.parity.graph_comparisons import compare_retrieval, invalid_outputs
from pocketrec.benchmarks.parity.quality_loss import list_quality, thirds
from pocketrec.benchmarks.parity.reference import Reference
from pocketrec.core.queries.query import Query


class Data:
    """Four films, one user who saw film 0 and later watched film 2."""

    items = ("a", "b", "c", "d")
    queries = (
        Query(
            0,
            np.array([2], np.int32),
            np.array([5.0], np.float32),
            np.array([0], np.int32),
            np.array([4.0], np.float32),
        ),
    )

    popularity = np.array([9, 1, 5, 3])


REFERENCE = Reference(
    {"scores": np.array([[9.0, 4.0, 3.0, 1.0]], np.float32), "rating": np.zeros(1)}, Data.queries, Data
)


def retrieved(ids, scores):
    return {"ids": np.array([ids], np.int32), "scores": np.array([scores], np.float32)}


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


def test_retriever_that_agrees_is_perfect():
    metrics = compare_retrieval(retrieved([1, 2], [4.0, 3.0]), REFERENCE)
    assert (metrics["max_abs_diff"], metrics["top_k_overlap"], metrics["top1_agreement"], metrics["seen_returned"]) == (
        0.0,
        1.0,
        1.0,
        0,
    )
    assert (metrics["quality_reference"], metrics["quality_variant"], metrics["quality_delta"]) == (1.0, 1.0, 0.0)


def test_retriever_that_loses_the_film_watched_later_loses_quality():
    metrics = compare_retrieval(retrieved([1, 3], [4.0, 1.5]), REFERENCE)
    assert (metrics["max_abs_diff"], metrics["top_k_overlap"]) == (0.5, 0.5)
    assert (metrics["quality_delta"], metrics["quality_loss"]) == (-1.0, 1.0)


def test_retriever_that_ignores_the_mask_is_caught():
    assert compare_retrieval(retrieved([0, 1], [9.0, 4.0]), REFERENCE)["seen_returned"] == 1


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (retrieved([1, 4], [1.0, 1.0]), "outside 0..3"),
        (retrieved([1, -1], [1.0, 1.0]), "outside 0..3"),
        (retrieved([1, 2], [1.0, np.nan]), "holds NaN (1 of 2)"),
        ({"ids": np.zeros((1, 2), np.int32)}, "missing: scores"),
    ],
)
def test_outputs_that_cannot_be_compared_are_named(outputs, said):
    assert said in invalid_outputs("retriever", outputs, REFERENCE)


def test_ranker_with_too_few_answers_is_named():
    assert "2 values for 1 pairs" in invalid_outputs("ranker", {"rating": np.zeros((1, 2), np.float32)}, REFERENCE)


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


def test_loss_by_popularity_shows_what_the_mean_hides():
    """The variant loses the one film of the tail that was watched later, and keeps the two of the head."""
    best, ids = np.array([[0, 1, 2]]), np.array([[0, 1, 3]])
    reference = Simple()
    found = list_quality("recall_at_100", ids, best, reference)
    assert found["quality_loss"] == pytest.approx(1 / 3)
    assert found["quality_loss_by_popularity"] == {"tail": 1.0, "middle": None, "head": 0.0}
    assert found["quality_loss_by_history"] == {"shortest": pytest.approx(1 / 3), "middle": None, "longest": None}


class Simple:
    """One user who watched films 0, 1 and 2 later; 0 and 1 are popular, 2 is not."""

    truth_mask = np.array([[True, True, True, False]])
    item_thirds = np.array([2, 2, 0, 1])
    history_lengths = np.array([7])


def test_list_quality_is_that_of_training():
    from pocketrec.benchmarks.parity.quality_loss import ndcg_of_hits, recall_of_hits
    from pocketrec.core.metrics import ndcg_at_k, recall_at_k

    rng = np.random.default_rng(0)
    for n_true in (1, 3, 40):
        ids, truth = rng.permutation(60)[:30], rng.permutation(60)[:n_true]
        hits = np.isin(ids, truth)[None]
        assert recall_of_hits(hits, np.array([n_true]))[0] == recall_at_k(ids, truth, 100)
        assert ndcg_of_hits(hits, np.array([n_true]))[0] == pytest.approx(ndcg_at_k(ids, truth, 10), abs=1e-15)


def test_thirds_follow_the_order():
    assert thirds(np.array([5, 1, 9, 2, 8, 3])).tolist() == [1, 0, 2, 0, 2, 1]
    assert thirds(np.array([4, 4])).tolist() == [0, 1] and thirds(np.array([])).tolist() == []
