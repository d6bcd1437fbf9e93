"""What a run holds out."""

import numpy as np
import pytest
from pocketrec.core.queries import held_out
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run


@pytest.fixture
def data(tiny):
    return HeldOut(Run(tiny))


def test_every_user_with_something_held_out_is_one_query(tiny, data):
    with np.load(tiny / "trained" / "heldout.npz") as held:
        users = np.unique(held["user"])
        first = int(users[0])
        truth = held["item"][held["user"] == first]
    assert [query.user for query in data.queries] == users.tolist()
    assert sorted(data.queries[0].items.tolist()) == sorted(truth.tolist())
    assert not set(data.queries[0].items.tolist()) & set(data.queries[0].seen.tolist())


def test_fewer_users_are_asked_where_the_scores_of_all_would_not_fit(data, monkeypatch):
    monkeypatch.setattr(held_out, "MOST_ASKED_SCORES", len(data.items) * 10)
    users = [query.user for query in data.queries]
    everybody = np.flatnonzero(np.diff(data.truth.offsets) > 0)
    assert len(users) == 10 and users == sorted(set(users)) and users[-1] == everybody[-1]


def test_representative_queries_hold_nothing_that_was_held_out(data):
    asked = [query for query in data.representative if query.user >= 0 and len(query.ratings) == len(query.items)]
    for query in asked[:50]:
        assert set(query.seen.tolist()) <= set(data.history.items_of(query.user).tolist())
    assert set(map(id, data.edges.values())) <= set(map(id, data.representative))


def test_popularity_counts_training_events(data):
    assert data.popularity.sum() == len(data.history.item) and len(data.popularity) == len(data.items)


def test_a_run_says_whether_it_has_ratings(data):
    assert data.is_implicit is False
