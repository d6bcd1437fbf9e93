import os

import numpy as np
import pytest
from pocketrec.core.queries.histories import Histories
from pocketrec.train.linear.co_occurrence import Sums, future_sums, interactions, pair_sums
from pocketrec.train.linear.item_weights import solved, svd_factors, whole_weights
from pocketrec.train.linear.solvers import genre_rows, method_for
from pocketrec.train.linear.wide import WideSolution


def made_up(users=60, items=12, seed=0) -> Histories:
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(items)[: rng.integers(1, items)].astype(np.int32) for _ in range(users)]
    offsets = np.cumsum([0, *map(len, rows)])
    return Histories(offsets, np.concatenate(rows), np.ones(offsets[-1], np.float32))


def ease(gram, ridge):
    """Steck 2019, eq. 8, written out."""
    inverse = np.linalg.inv(gram + ridge * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_at_full_rank_the_factors_are_ease():
    gram = pair_sums(interactions(made_up(), 12))
    factors = solved(Sums(gram, gram), 20.0).cut(12)
    np.testing.assert_allclose(factors.history @ factors.candidates.T, ease(gram, 20.0), atol=1e-9)


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_a_low_rank_predicts_as_near_as_its_rank_allows(rank):
    gram = pair_sums(interactions(made_up(), 12))
    wanted, root = ease(gram, 20.0), np.linalg.cholesky(gram + 20 * np.eye(12)).T
    factors = solved(Sums(gram, gram), 20.0).cut(rank)
    lost = np.linalg.norm(root @ (factors.history @ factors.candidates.T - wanted))
    values = np.linalg.svd(root @ wanted, compute_uv=False)
    assert lost == pytest.approx(np.sqrt((values[rank:] ** 2).sum()), rel=1e-9)


def test_turning_the_basis_changes_no_weight_and_levels_the_columns():
    gram = pair_sums(interactions(made_up(), 12))
    factors = solved(Sums(gram, gram), 20.0).cut(6)
    turned = factors.rotated()
    np.testing.assert_allclose(turned.history @ turned.candidates.T, factors.history @ factors.candidates.T, atol=1e-12)
    spread = [np.ptp(np.linalg.norm(each.candidates, axis=0)) for each in (factors, turned)]
    assert spread[1] < spread[0]


def test_off_the_diagonal_the_svd_is_nearly_ease():
    events = interactions(made_up(users=200), 12)
    factors = svd_factors(events, 2000.0, 11)  # one of twelve directions is left out
    weights = factors.history @ factors.candidates.T
    wanted = ease(pair_sums(events), 2000.0)
    hidden = ~np.eye(12, dtype=bool)
    assert np.corrcoef(weights[hidden], wanted[hidden])[0, 1] > 0.9


def test_sums_over_earlier_and_later_events_are_those_of_every_position():
    seen, recency = made_up(users=5), 0.7
    found = future_sums(seen, 12, recency)
    gram, cross = np.zeros((12, 12)), np.zeros((12, 12))
    for user in range(5):
        items = seen.items_of(user)
        for at in range(1, len(items)):
            past, future = np.zeros(12), np.zeros(12)
            past[items[:at]] = np.arange(at, 0, -1.0) ** -recency
            future[items[at:]] = np.arange(1.0, len(items) - at + 1) ** -0.7
            gram += np.outer(past, past) / np.sqrt(len(items) - 1)
            cross += np.outer(past, future) / np.sqrt(len(items) - 1)
    np.testing.assert_allclose(found.gram, gram, atol=1e-12)
    np.testing.assert_allclose(found.cross, cross, atol=1e-12)


def test_the_order_of_histories_is_left_as_it_is():
    seen = made_up()
    before = seen.item.copy()
    interactions(seen, 12)
    assert np.array_equal(seen.item, before)


def test_a_genre_is_a_user_with_all_its_items():
    rows = genre_rows([["a"], ["a", "b"], []], 3.0).toarray()
    np.testing.assert_allclose(rows, [[3 / np.sqrt(2), 3 / np.sqrt(2), 0], [0, 3.0, 0]])
    assert genre_rows([[], []], 3.0).shape == (0, 2)


def test_the_method_follows_items_users_and_free_memory(monkeypatch):
    assert method_for(1_000, 100_000) == "exact" and method_for(20_001, 100_000) == "svd"
    assert method_for(9_000, 700) == method_for(50_000, 700) == "wide" and method_for(9_000, 6_000) == "exact"
    monkeypatch.setattr(os, "sysconf", {"SC_AVPHYS_PAGES": 100_000, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert method_for(1_000, 100_000) == "exact" and method_for(9_000, 6_000) == "svd"


def test_solved_over_users_the_weights_and_their_low_rank_are_the_same():
    events = interactions(made_up(users=9), 12)
    gram = pair_sums(events)
    wide, exact = WideSolution(events, 20.0), solved(Sums(gram, gram), 20.0)
    np.testing.assert_allclose(wide.times(np.eye(12)), exact.weights, atol=1e-9)
    np.testing.assert_allclose(wide.transposed_times(np.eye(12)), exact.weights.T, atol=1e-9)
    np.testing.assert_allclose(wide.read(events), events @ whole_weights(gram, 20.0), atol=1e-9)
    for rank in (3, 12):
        found, wanted = (each.cut(rank) for each in (wide, exact))
        np.testing.assert_allclose(
            found.history @ found.candidates.T, wanted.history @ wanted.candidates.T, atol=1e-8, err_msg=str(rank)
        )
