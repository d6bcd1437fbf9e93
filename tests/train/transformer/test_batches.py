"""Batches of sequences: every event once a pass, in order or shuffled, cut at other places each time."""

import numpy as np
import pytest
from pocketrec.core.queries.histories import Histories
from pocketrec.train.transformer.batches import epoch_of

N_ITEMS = 1000
SIZES = [1, 3, 0, 40, 17, 2, 8]


@pytest.fixture
def seen():
    offsets = np.cumsum([0, *SIZES])
    return Histories(offsets, np.arange(offsets[-1], dtype=np.int32), np.zeros(offsets[-1], np.float32))


def one_pass(seen, seed, *, ordered=True):
    return list(epoch_of(seen, N_ITEMS, 10, 25, np.random.default_rng(seed), ordered=ordered))


@pytest.mark.parametrize("ordered", [True, False])
def test_every_event_is_a_target_once(seen, ordered):
    batches = one_pass(seen, 1, ordered=ordered)
    found = np.concatenate([items[items < N_ITEMS] for _, items in batches])
    assert np.array_equal(np.sort(found), seen.item)
    assert all(items.size <= 25 and items.shape[1] <= 10 for _, items in batches)
    owners = {
        int(item): user for users, items in batches for user, row in zip(users, items, strict=True) for item in row
    }
    assert all(owners[int(item)] == user for user in range(len(SIZES)) for item in seen.items_of(user))


def test_events_keep_their_order_unless_they_may_not(seen):
    def is_sorted(batches):
        return all((np.diff(items, axis=1) >= 0).all() for _, items in batches)

    assert is_sorted(one_pass(seen, 1)) and not is_sorted(one_pass(seen, 1, ordered=False))


def test_a_seed_decides_where_histories_are_cut(seen):
    def pieces(seed):
        return [items.tolist() for _, items in one_pass(seen, seed)]

    assert pieces(1) == pieces(1) != pieces(2)
