"""`--encoder auto`: linear where it is exact; otherwise what is worth more on validation, which is recorded."""

import numpy as np
import pytest
from pocketrec.core.run_dir import Run
from pocketrec.train.pocket import choice
from pocketrec.train.pocket.choice import choose_encoder

from tests.train.transformer.tiny_ratings import tiny_ratings


@pytest.fixture(scope="module")
def ratings(tmp_path_factory):
    return tiny_ratings(tmp_path_factory.mktemp("ratings"))


@pytest.fixture
def large(monkeypatch):
    """A limit that makes the tiny catalogue too large to solve exactly."""
    monkeypatch.setattr("pocketrec.train.linear.solvers.MOST_EXACT_ITEMS", 50)


def worth_by_name(monkeypatch, **values):
    monkeypatch.setattr(choice, "_value", lambda name, *_: values[name])


def test_the_default_run_says_which_encoder_it_took_and_why(tiny):
    settings = Run(tiny).record.settings["retrieval"]
    assert settings["encoder"] == "linear" and "120 items" in settings["reason"] and settings["validation"] == {}


def test_an_encoder_by_name_is_taken_without_a_word(ratings):
    assert choose_encoder("pooling", ratings, "random", 1, 8) == choice.Choice("pooling")


@pytest.mark.parametrize(
    ("linear", "pooling", "taken"), [(0.5, 0.505, "linear"), (0.5, 0.52, "pooling"), (0.5, 0.4, "linear")]
)
def test_beyond_the_exact_solution_validation_decides(ratings, large, monkeypatch, linear, pooling, taken):
    worth_by_name(monkeypatch, linear=linear, pooling=pooling)
    found = choose_encoder("auto", ratings, "random", 1, 8)
    assert found.encoder == taken and found.validation == {"linear": linear, "pooling": pooling}


def test_with_too_little_to_compare_on_it_is_linear(ratings, large):
    found = choose_encoder("auto", ratings.take(np.arange(60)), "random", 1, 8)
    assert found.encoder == "linear" and found.validation == {}


def test_only_so_many_events_are_compared_and_whole_users(ratings, large, monkeypatch):
    monkeypatch.setattr(choice, "MOST_COMPARED", 2000)
    some = choice._some_users(ratings, 1)
    assert 1500 < len(some) <= 2000
    events = np.bincount(ratings.user)
    assert all(events[user] == count for user, count in zip(*np.unique(some.user, return_counts=True), strict=True))
    assert np.array_equal(some.user, choice._some_users(ratings, 1).user)


@pytest.mark.full
def test_comparing_is_deterministic_and_sees_no_held_out_rating(ratings, large):
    from pocketrec.train.tf import make_deterministic

    found = []
    for _ in range(2):
        make_deterministic(1)
        found.append(choose_encoder("auto", ratings, "leave-last-out", 1, 16))
    assert found[0] == found[1] and set(found[0].validation) == {"linear", "pooling"}
    assert all(0 < value < 2.3 for value in found[0].validation.values())
