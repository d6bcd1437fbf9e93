import math

import numpy as np
import pytest
from pocketrec.core import metrics
from pocketrec.core.metrics import (
    best_unseen,
    hits_among,
    hits_in_lists,
    hits_of_lists,
    ndcg_of_hits,
    recall_of_hits,
    recall_of_lists,
    recall_with_ties,
    retrieval_quality,
    rmse,
    top_k,
)
from pocketrec.core.queries.histories import Histories
from sklearn.metrics import ndcg_score


def test_rmse_of_known_errors():
    assert rmse(np.array([1.0, 2.0]), np.array([4.0, 6.0])) == math.sqrt((9 + 16) / 2)


def hits(*rows):
    return np.array(rows, bool)


def test_recall_divides_by_all_relevant_items():
    assert recall_of_hits(hits([0, 1, 1]), np.array([3]), 2).tolist() == [1 / 3]


def test_ndcg_of_a_hit_at_rank_two_of_one_relevant_item():
    assert ndcg_of_hits(hits([0, 1, 0]), np.array([1]), 10).tolist() == [1 / math.log2(3)]


def test_ndcg_is_one_for_a_perfect_list_longer_than_k():
    assert ndcg_of_hits(np.ones((1, 10), bool), np.array([30]), 10)[0] == pytest.approx(1.0, abs=1e-15)


def test_lists_without_anything_relevant_have_no_quality():
    assert np.isnan(recall_of_hits(hits([0, 0]), np.array([0]), 2)).all()
    assert np.isnan(ndcg_of_hits(hits([0, 0]), np.array([0]), 2)).all()


def test_quality_of_hits_is_that_of_set_operations_and_of_scikit_learn():
    rng = np.random.default_rng(0)
    ids = np.stack([rng.permutation(60)[:30] for _ in range(40)])
    relevant = rng.random((40, 60)) < rng.random((40, 1))
    relevant[:, 0] = True
    found, n_relevant = hits_among(ids, relevant), relevant.sum(axis=1)
    for row, recall in enumerate(recall_of_hits(found, n_relevant, 10)):
        wanted = np.flatnonzero(relevant[row])
        assert recall == len(np.intersect1d(ids[row, :10], wanted)) / len(wanted)
    order = np.zeros(relevant.shape)
    np.put_along_axis(order, ids, np.arange(30, 0, -1.0)[None], axis=1)
    assert ndcg_of_hits(found, n_relevant, 10).mean() == pytest.approx(ndcg_score(relevant, order, k=10), rel=1e-12)


def test_recall_of_lists_counts_an_item_once_and_leaves_out_empty_places():
    exact, found = np.array([[1, 2, 3], [4, 5, 6]]), [np.array([3, 3, 1]), np.array([6, -1])]
    assert hits_in_lists(found, exact).tolist() == [2, 1] and recall_of_lists(found, exact) == (2 / 3 + 1 / 3) / 2


@pytest.mark.parametrize(
    ("found", "recall"), [([0, 1, 3], 1.0), ([0, 4, 3], 2 / 3), ([0, -1, -1], 1 / 3), ([0, 0, 0], 1 / 3)]
)
def test_ties_with_the_last_count_and_missing_ids_do_not(found, recall):
    items = np.array([[3.0], [2.0], [1.0], [1.0], [0.5]], np.float32)
    queries, exact = np.ones((1, 1), np.float32), np.array([[0, 1, 2]])
    assert recall_with_ties([np.array(found)], exact, items, queries, tie=1e-5) == recall


def test_top_k_keeps_index_order_on_ties():
    assert top_k(np.array([[1.0, 3.0, 3.0, 2.0]]), 3).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("values", [np.arange(7), np.array([0.0, 1.0, np.nan, -np.inf])])
def test_top_k_is_the_head_of_a_stable_sort_whatever_way_it_takes(values):
    scores = np.random.default_rng(0).choice(values, (20, 900)).astype(np.float32)
    whole = np.argsort(-scores, axis=1, kind="stable")
    for k in (1, 100, 112, 113, 900, 2000):
        assert np.array_equal(top_k(scores, k), whole[:, :k]), k


def few_items(n_users):
    """Everybody has seen item 0 of three."""
    return Histories(np.arange(n_users + 1), np.zeros(n_users, np.int32), np.ones(n_users, np.float32))


def test_lists_end_where_the_catalogue_does():
    lists = best_unseen(lambda users: np.tile([9.0, 1.0, 5.0], (len(users), 1)), few_items(3), np.arange(3), 4)
    assert lists.tolist() == [[2, 1, -1, -1]] * 3


def test_users_are_scored_in_blocks_that_bound_what_is_held(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_SCORES", 7)
    asked = []
    best_unseen(lambda users: asked.append(len(users)) or np.zeros((len(users), 3)), few_items(6), np.arange(6), 2)
    assert asked == [1, 2, 2, 1] and max(asked) * 3 <= 7


def test_an_empty_place_and_a_repeated_truth_count_once_or_not_at_all():
    truth = Histories(np.array([0, 3, 3]), np.array([2, 2, 1], np.int32), np.ones(3, np.float32))
    hits, n_relevant = hits_of_lists(np.array([[2, -1], [0, -1]]), np.array([0, 1]), truth)
    assert hits.tolist() == [[True, False], [False, False]] and n_relevant.tolist() == [2, 0]


def test_seen_items_are_never_recommended_and_users_without_truth_do_not_count():
    seen = Histories(np.array([0, 1, 1]), np.array([0]), np.array([5.0]))
    truth = Histories(np.array([0, 1, 1]), np.array([1]), np.array([5.0]))
    quality = retrieval_quality(lambda users: np.array([[9.0, 5.0, 1.0]]), seen, truth)
    assert quality == {"recall_at_10": 1.0, "recall_at_100": 1.0, "ndcg_at_10": 1.0}
