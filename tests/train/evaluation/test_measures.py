"""What is measured, by hand on ratings that are small enough for it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.train.evaluation.contestants import LAST_5, PREFERENCES_ONLY, RATED, WHOLE
from pocketrec.train.evaluation.measures import Held, measure

from tests.train.baselines.made_ratings import made


class Fixed:
    """Scores the same for everybody, whatever is known of them, and one rating for every pair."""

    def __init__(self, scores, stars=None, knows=(WHOLE, RATED, LAST_5, PREFERENCES_ONLY)):
        self.scores, self.knows, self.asked = np.array(scores, np.float32), knows, []
        self.predict = None if stars is None else lambda user, item: np.full(len(user), stars, np.float32)

    def score(self, known):
        if known not in self.knows:
            return None
        self.asked.append(known)
        return lambda users: np.tile(self.scores, (len(users), 1))


def held_of(train, test):
    return Held(train, test, np.unique(test.user).astype(np.int64))


# Item 3 is cold; users 0 and 1 have a history, user 2 has none.
TRAIN = made([(0, 0, 5), (0, 1, 1), (1, 0, 4)], 3, 5)
TEST = made([(0, 2, 5), (1, 1, 1), (1, 3, 4), (2, 3, 2)], 3, 5)
BY_NUMBER = Fixed([5, 4, 3, 2, 1], stars=9.0)


def test_lists_by_hand():
    found = measure(BY_NUMBER, held_of(TRAIN, TEST)).fields["retrieval"]
    gain = [1 / math.log2(rank + 1) for rank in range(1, 6)]
    ndcg = [gain[0], (gain[0] + gain[2]) / (gain[0] + gain[1]), gain[3]]  # lists 2 3 4, 1 2 3 4 and 0 1 2 3 4
    assert found.recall_at_10.value == found.recall_at_100.value == 1 and found.ndcg_at_10.users == 3
    assert found.ndcg_at_10.value == pytest.approx(np.mean(ndcg))


def test_ratings_are_clipped_and_every_one_counts_once():
    found = measure(BY_NUMBER, held_of(TRAIN, TEST)).fields["rmse"]
    assert found.value == pytest.approx(math.sqrt(np.mean([0, 16, 1, 9])))


def test_coverage_novelty_and_popularity_by_hand(monkeypatch):
    monkeypatch.setattr("pocketrec.train.evaluation.measures.SHORT_LIST", 2)
    found = measure(BY_NUMBER, held_of(TRAIN, TEST)).fields
    lists = [[2, 3], [1, 2], [0, 1]]
    owners = np.array([2, 1, 0, 0, 0])
    bits = -np.log2(np.maximum(owners, 1) / 2)  # two users have training events
    assert found["coverage_at_10"] == 4 / 5
    assert found["novelty_at_10"].value == pytest.approx(np.mean([bits[row].mean() for row in lists]))
    listed, own = np.mean([0, 0.5]), np.mean([1.5, 2])  # of users 0 and 1
    assert found["popularity_lift_at_10"].value == pytest.approx(listed / own - 1)
    assert found["popularity_lift_at_10"].users == 2


def test_cold_items_next_to_chance():
    found = measure(BY_NUMBER, held_of(TRAIN, TEST)).fields["cold"]
    assert (found.items, found.events, found.found_at_100.value, found.chance_at_100) == (3, 3, 1.0, 1.0)
    train = made([(u, i, 3) for u in range(2) for i in range(2)], 2, 402)
    test = made([(0, 300, 3), (1, 401, 3)], 2, 402)
    found = measure(Fixed(-np.arange(402.0)), held_of(train, test)).fields["cold"]
    assert (found.items, found.events, found.found_at_100.value) == (400, 2, 0.0)
    assert found.chance_at_100 == pytest.approx(100 / 400)


def test_no_cold_items_are_null():
    train = made([(0, 0, 5), (1, 1, 1), (2, 0, 3)], 3, 2)
    found = measure(Fixed([1, 2]), held_of(train, made([(0, 1, 5), (1, 0, 1)], 3, 2))).fields["cold"]
    assert (found.items, found.events, found.found_at_100, found.chance_at_100) == (0, 0, None, None)


def test_groups_without_users_are_null_and_the_others_add_up():
    events = [(0, i, 3) for i in range(120)] + [(1, i, 3) for i in range(19)] + [(2, 0, 3)]
    test = made([(u, 150, 4) for u in range(4)], 4, 160)
    found = measure(Fixed(np.arange(160.0)), held_of(made(events, 4, 160), test)).fields
    groups = found["by_history"]
    assert groups["20-99"] is None
    users = {name: each.recall_at_10.users for name, each in groups.items() if each}
    assert users == {"0-4": 2, "5-19": 1, "100+": 1}
    assert found["by_popularity"]["most"] is None and found["by_popularity"]["least"].recall_at_10.users == 4


def test_liked_items_are_those_above_the_lowest_quarter():
    found = measure(BY_NUMBER, held_of(TRAIN, TEST)).fields
    assert found["liked"].recall_at_10.users == 2 and found["retrieval"].recall_at_10.users == 3, "user 2 liked nothing"


def test_implicit_data_has_neither_ratings_nor_likes():
    train, test = (replace(part, is_implicit=True) for part in (TRAIN, TEST))
    found = measure(Fixed([1, 2, 3, 4, 5], stars=3.0, knows=(WHOLE,)), held_of(train, test)).fields
    assert found["rmse"] is None and found["liked"] is None and found["retrieval"] is not None


def test_what_a_model_cannot_be_asked_is_null_and_preferences_need_users_who_declared_some():
    only_whole = Fixed([1, 2, 3, 4, 5], knows=(WHOLE,))
    found = measure(only_whole, held_of(TRAIN, TEST)).fields
    assert found["last_5"] is None and found["preferences_only"] is None and "rated" not in found
    train = replace(TRAIN, user_preferences=[["gender:F"], [], []])
    found = measure(BY_NUMBER, held_of(train, TEST)).fields
    assert found["preferences_only"].recall_at_10.users == 1
    nobody = Fixed([1, 2, 3, 4, 5])
    assert (
        measure(nobody, held_of(TRAIN, TEST)).fields["preferences_only"] is None
        and PREFERENCES_ONLY not in nobody.asked
    )


def test_one_event_a_user():
    """Nobody has both a history and something held out: a lift would divide by nothing."""
    train, test = made([(0, 0, 3), (1, 1, 4)], 4, 3), made([(2, 0, 5), (3, 2, 1)], 4, 3)
    found = measure(Fixed([3, 2, 1]), held_of(train, test)).fields
    assert found["popularity_lift_at_10"] is None and found["by_history"]["0-4"].recall_at_10.users == 2
    assert found["retrieval"].recall_at_10.value == 1


def test_a_difference_is_paired_user_by_user():
    """The interval of a difference that every user has is a point, however much the users differ."""
    train, test = made([(u, 0, 3) for u in range(8)], 8, 30), made([(u, 1 + 3 * u, 4) for u in range(8)], 8, 30)
    held = held_of(train, test)
    best, worst = Fixed(-np.arange(30.0)), Fixed(np.arange(30.0))
    ours = measure(best, held)
    assert ours.of_users.shape == (8, 3) and "difference" not in ours.fields
    same = measure(Fixed(-np.arange(30.0)), held, ours).fields["difference"]
    assert (same.ndcg_at_10.value, same.ndcg_at_10.ci95) == (0.0, (0.0, 0.0))
    other = measure(worst, held, ours)
    expected = (other.of_users - ours.of_users).mean(axis=0)
    assert other.fields["difference"].recall_at_10.value == pytest.approx(expected[0]) and expected[0] != 0
