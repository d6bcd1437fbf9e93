import math

import numpy as np
from pocketrec.core.metrics import ndcg_at_k, recall_at_k, retrieval_quality, rmse, top_k
from pocketrec.core.queries.histories import Histories


def test_rmse_of_known_errors():
    assert rmse(np.array([1.0, 2.0]), np.array([4.0, 6.0])) == math.sqrt((9 + 16) / 2)


def test_recall_divides_by_all_relevant_items():
    assert recall_at_k(np.array([3, 1, 2]), np.array([1, 9, 8]), 2) == 1 / 3


def test_ndcg_of_a_hit_at_rank_two_of_one_relevant_item():
    assert ndcg_at_k(np.array([5, 7, 6]), np.array([7]), 10) == 1 / math.log2(3)


def test_ndcg_is_one_for_a_perfect_list_longer_than_k():
    assert ndcg_at_k(np.arange(10), np.arange(30), 10) == 1.0


def test_top_k_keeps_index_order_on_ties():
    assert top_k(np.array([[1.0, 3.0, 3.0, 2.0]]), 3).tolist() == [[1, 2, 3]]


def test_seen_items_are_never_recommended_and_users_without_truth_do_not_count():
    seen = Histories(np.array([0, 1, 1]), np.array([0]), np.array([5.0]))
    truth = Histories(np.array([0, 1, 1]), np.array([1]), np.array([5.0]))
    quality = retrieval_quality(lambda users: np.array([[9.0, 5.0, 1.0]]), seen, truth)
    assert quality == {"recall_at_10": 1.0, "recall_at_100": 1.0, "ndcg_at_10": 1.0}
