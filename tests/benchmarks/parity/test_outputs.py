"""Both sides of a variant's answers: scored items, and lists."""

import numpy as np
import pytest
from pocketrec.benchmarks.parity.outputs import ScoredItems, TopKLists, returned_lists


def test_the_first_user_who_differs_is_the_one_whose_first_ten_do():
    best = np.tile(np.arange(12), (3, 1))
    ids = best.copy()
    ids[1, [10, 11]], ids[2, [0, 1]] = [11, 10], [1, 0]
    assert TopKLists(ids, np.ones((3, 12)), best, np.ones((3, 12))).differing(None) == 2


def test_the_first_user_with_a_score_further_off_than_the_limit_and_another_order():
    found = ScoredItems(np.array([1.0, 2, 1, 2, 3]), np.array([1.2, 2, 2.5, 1, 3]), np.array([0, 2, 5]), np.arange(5))
    assert found.differing(0.1) == 1 and found.differing(9.0) == 1
    sides = found.sides(1)
    assert sides.best.tolist() == [4, 3, 2] and sides.ids.tolist() == [4, 2, 3]


def test_returned_lists_are_compared_by_id():
    """Ids 70, 80, 90 against 70, 90, 50: 50 was not returned by the reference, so it scores no more than its last."""
    answers = returned_lists(
        [np.array([70, 80, 90])], [np.array([3.0, 2, 1])], [np.array([70, 90, 50])], [np.array([3.0, 1.0, 1.5])]
    )
    found = answers.agreement()
    assert found.top_k_overlap == pytest.approx(2 / 3) and found.max_abs_diff == 0.5
    assert answers.sides(0).best.tolist() == [70, 80, 90] and answers.sides(0).ids.tolist() == [70, 90, 50]


def test_lists_shorter_than_ten_have_no_overlap_at_ten():
    same = TopKLists(np.array([[0, 1]]), np.ones((1, 2)), np.array([[0, 1]]), np.ones((1, 3)))
    found = same.agreement()
    assert (found.overlap_at_1, found.overlap_at_10, found.overlap_at_100, found.top_k_overlap) == (
        1.0,
        None,
        None,
        1.0,
    )


def test_scores_that_order_nothing_keep_their_order():
    flat = ScoredItems(np.ones(2), np.array([1.0, 2.0]), np.array([0, 2]), np.arange(2))
    assert flat.agreement().kendall_tau == 1.0
