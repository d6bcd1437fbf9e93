from dataclasses import replace

import numpy as np
import pytest
from pocketrec.train.data.ratings import Ratings, by_popularity, histories, split_ratings, vocabulary_of
from pocketrec.train.data.splits import SPLITS

from tests.conftest import raises


def ratings(user, timestamp):
    n = len(user)
    return Ratings(
        name="made",
        user=np.array(user, np.int32),
        item=np.arange(n, dtype=np.int32),
        rating=np.ones(n, np.float32),
        timestamp=np.array(timestamp, np.int64),
        users=[str(u) for u in range(max(user) + 1)],
        items=[str(i) for i in range(n)],
        titles=[f"film {i}" for i in range(n)],
        genres=[[] for _ in range(n)],
    )


def test_vocabulary_puts_numbers_in_numeric_order_before_text():
    tokens, index = vocabulary_of(np.array(["b", "10", "9", "a", "10"]))
    assert tokens == ["9", "10", "a", "b"]
    assert index.tolist() == [3, 1, 0, 2, 1]


def test_items_come_in_the_order_of_how_often_training_rates_them():
    made = ratings([0] * 6, range(6))
    train, test = (
        replace(made, item=np.array([4, 2, 4, 1, 2, 4], np.int32)),
        replace(made, item=np.array([0, 4, 1, 2, 3, 3], np.int32)),
    )
    ordered, other = by_popularity(train, test)
    assert ordered.items == other.items == ["4", "2", "1", "0", "3", "5"]  # equal ones as they were
    assert ordered.titles == [f"film {i}" for i in ordered.items] and len(ordered.genres) == 6
    for before, after in ((train, ordered), (test, other)):
        assert [before.items[i] for i in before.item] == [after.items[i] for i in after.item]
    assert by_popularity(ordered, other)[0].items == ordered.items


def test_random_split_is_80_20_disjoint_and_seeded():
    made = ratings([0] * 100, range(100))
    train, test = split_ratings(made, "random", 42)
    again, _ = split_ratings(made, "random", 42)
    other, _ = split_ratings(made, "random", 43)
    assert len(train) == 80 and len(test) == 20
    assert not set(train.item) & set(test.item)
    assert np.array_equal(train.item, again.item) and not np.array_equal(train.item, other.item)


def test_temporal_split_holds_out_each_users_last_fifth():
    made = ratings([0] * 5 + [1] * 10, [5, 4, 3, 2, 1, *range(10)])
    _, test = split_ratings(made, "temporal", 0)
    assert sorted(test.item.tolist()) == [0, 13, 14]


def test_leave_last_out_keeps_a_users_only_event_in_training():
    made = ratings([0, 1, 1], [1, 2, 3])
    train, test = split_ratings(made, "leave-last-out", 0)
    assert train.item.tolist() == [0, 1] and test.item.tolist() == [2]


def test_split_that_leaves_nothing_held_out_is_refused():
    with raises("SPLIT_IMPOSSIBLE"):
        split_ratings(ratings([0, 1], [1, 2]), "leave-last-out", 0)


@pytest.mark.parametrize("split", SPLITS)
def test_splits_by_time_need_timestamps(split):
    made = replace(ratings([0] * 5 + [1] * 5, range(10)), has_timestamps=False)
    if not SPLITS[split].is_future:
        assert len(split_ratings(made, split, 0)[1]) == 2
        return
    with raises("SPLIT_IMPOSSIBLE") as caught:
        split_ratings(made, split, 0)
    assert split in str(caught.value) and "--split random" in str(caught.value)


def test_an_unknown_split_is_refused():
    with raises("NAME_UNKNOWN"):
        split_ratings(ratings([0, 1], [1, 2]), "randm", 0)


def test_histories_are_oldest_first_and_keep_source_order_on_equal_times():
    grouped = histories(ratings([1, 0, 1, 1], [9, 1, 3, 9]))
    assert grouped.items_of(0).tolist() == [1]
    assert grouped.items_of(1).tolist() == [2, 0, 3]


def test_sha256_changes_with_one_rating():
    made = ratings([0, 0], [1, 2])
    changed = made.take(np.array([0, 1]))
    changed.rating[1] = 2
    assert made.sha256() != changed.sha256()
