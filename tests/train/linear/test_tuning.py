import logging

import numpy as np
import pytest
from pocketrec.train.data.files.ratings_file import read_ratings
from pocketrec.train.data.item_content import declared_preferences, indicators, preference_vocabulary
from pocketrec.train.data.ratings import split_ratings
from pocketrec.train.linear.settings import LinearSettings
from pocketrec.train.linear.tuning import RIDGES, shortened, tuned_settings

from tests.tiny import write_ratings


@pytest.fixture(scope="module")
def ratings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ratings")
    write_ratings(folder)
    return read_ratings(folder / "ratings.csv", item_features=folder / "items.csv")[0]


def tuned(train, split):
    declared = indicators(declared_preferences(train), preference_vocabulary(train))
    return tuned_settings(train, declared, split=split, seed=1, window=50, ranks=[7])


@pytest.mark.parametrize("split", ["random", "temporal", "leave-last-out"])
def test_settings_are_chosen_deterministically_from_the_training_part(ratings, split, caplog):
    train, _ = split_ratings(ratings, split, 1)
    with caplog.at_level(logging.INFO, logger="pocketrec"):
        found = tuned(train, split)
    assert found == tuned(train, split)
    assert found.ridge in RIDGES and found.rank == 7 and found.method == "exact"
    assert (found.recency > 0 or found.future >= 0) if split != "random" else found.recency == found.future == 0
    assert any(record.getMessage().startswith("validation") for record in caplog.records)


def test_with_too_little_to_choose_on_the_defaults_are_taken(ratings, caplog):
    few = ratings.take(np.arange(40))
    with caplog.at_level(logging.INFO, logger="pocketrec"):
        found = tuned(few, "random")
    assert found == LinearSettings(rank=7) and "defaults" in caplog.text


def test_one_event_per_user_leaves_nothing_to_choose_on(ratings):
    one_each = ratings.take(np.unique(ratings.user, return_index=True)[1])
    assert tuned(one_each, "leave-last-out").rank == 7


def test_short_histories_are_a_few_events_in_their_order(ratings):
    from pocketrec.train.data.ratings import histories

    seen = histories(ratings)
    short = shortened(seen, 3, 1)
    for user in (0, 5):
        places = [seen.items_of(user).tolist().index(item) for item in short.items_of(user)]
        assert len(places) == 3 and places == sorted(places)
