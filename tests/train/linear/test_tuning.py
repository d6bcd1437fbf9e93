import logging
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.core.queries.histories import Histories
from pocketrec.train.data.files.ratings_file import read_ratings
from pocketrec.train.data.item_content import declared_preferences, indicators, item_content, preference_vocabulary
from pocketrec.train.data.ratings import Ratings, split_ratings
from pocketrec.train.linear.item_weights import Factors
from pocketrec.train.linear.retriever import fit_linear
from pocketrec.train.linear.settings import LinearSettings
from pocketrec.train.linear.tuning import CONTENT_SCALES, RIDGES, _Search, first_nearly_best, tuned_settings
from pocketrec.train.linear.validation import shortened

from tests.tiny import write_ratings


@pytest.fixture(scope="module")
def ratings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ratings")
    write_ratings(folder)
    return read_ratings(folder / "ratings.csv", item_features=folder / "items.csv")[0]


def tuned(train, split):
    declared = indicators(declared_preferences(train), preference_vocabulary(train))
    return tuned_settings(train, item_content(train), declared, split=split, seed=1, window=50, ranks=[7])


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
    assert found == LinearSettings(rank=7, window=50) and "defaults" in caplog.text


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


def clusters(n_clusters=40, size=3, users=500, seed=0):
    """Users who each take most of two small groups of items: as many directions as groups."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for group in rng.choice(n_clusters, 2, replace=False):
            rows += [(user, int(item)) for item in group * size + rng.permutation(size)]
    user, item = np.array(rows, np.int32).T
    names = [str(i) for i in range(n_clusters * size)]
    return Ratings(
        name="made up",
        user=user,
        item=item,
        rating=np.ones(len(rows), np.float32),
        timestamp=np.arange(len(rows)),
        users=[str(u) for u in range(users)],
        items=names,
        titles=names,
        genres=[[] for _ in names],
        is_implicit=True,
        has_timestamps=False,
    )


def chosen(train, ranks, split="random"):
    declared = indicators(declared_preferences(train), preference_vocabulary(train))
    return tuned_settings(train, item_content(train), declared, split=split, seed=1, window=50, ranks=ranks)


@pytest.mark.full
def test_the_rank_grows_where_a_narrow_one_loses_what_the_whole_matrix_finds():
    train, _ = split_ratings(clusters(), "random", 1)
    assert chosen(train, [4, 16, 48, 96]).rank >= 48, "40 groups need 40 directions"
    assert chosen(train, [4]).rank == 4


def test_the_rank_stays_where_more_finds_nothing_more(ratings):
    train, _ = split_ratings(ratings, "random", 1)
    assert chosen(train, [31, 63]).rank == 31


@pytest.mark.parametrize(
    ("worth", "wanted"),
    [
        ({31: 0.996, 63: 1.2}, 31),
        ({31: 0.99, 63: 0.996}, 63),
        ({31: 0.98, 63: 0.99}, 31),
        ({31: 0.9, 63: 0.92, 127: 0.93}, 63),
        ({31: 0.9, 63: 0.92, 127: 0.995}, 127),
    ],
)
def test_a_rank_is_taken_that_finds_all_or_much_more(monkeypatch, worth, wanted):
    """Of what the whole matrix finds, 0.995 is all; the same is asked at every ridge."""
    search = _Search(WidthStub(), object(), LinearSettings(rank=31, window=8))
    monkeypatch.setattr(search, "_whole_value", lambda: 1.0)
    monkeypatch.setattr(search, "value", lambda settings: worth[settings.rank])
    search.widen([63, 127] if 127 in worth else [63])
    assert search.best.rank == wanted


class WidthStub:
    seen = Histories(np.array([0, 4]), np.zeros(4, np.int32), np.zeros(4, np.float32))


@pytest.mark.full
def test_the_window_grows_with_the_rank_to_the_longest_history():
    train, _ = split_ratings(clusters(users=300), "random", 1)
    declared = indicators(declared_preferences(train), preference_vocabulary(train))
    found = tuned_settings(train, item_content(train), declared, split="random", seed=1, window=2, ranks=[4, 48])
    assert (found.rank, found.window) == (48, 4)
    found = tuned_settings(train, item_content(train), declared, split="random", seed=1, window=8, ranks=[4, 48])
    assert (found.rank, found.window) == (48, 8), "no history is longer than six items"


def test_without_times_every_item_of_a_history_counts_the_same(caplog):
    train, _ = split_ratings(clusters(users=150), "random", 1)
    with caplog.at_level(logging.INFO, logger="pocketrec"):
        assert chosen(train, [16]).recency == 0
    assert "no timestamps" in caplog.text


def test_one_event_per_user_is_no_error_on_a_random_split(ratings):
    one_each = ratings.take(np.unique(ratings.user, return_index=True)[1])
    assert chosen(one_each, [7]).rank == 7


def test_a_ridge_with_which_nothing_can_be_solved_is_left_out(monkeypatch):
    from pocketrec.train.linear.solvers import ExactSolver

    solve = ExactSolver.factors

    def singular_below_600(self, settings):
        if settings.ridge < 600:
            raise np.linalg.LinAlgError("not positive definite")
        return solve(self, settings)

    monkeypatch.setattr(ExactSolver, "factors", singular_below_600)
    train, _ = split_ratings(clusters(users=150), "random", 1)
    assert chosen(train, [16]).ridge >= 600


@pytest.mark.parametrize(
    ("whole", "wanted"),
    [({}, 0.3), ({0.3: 0.985}, 0.2), ({0.03: 1.01, 0.1: 1.004, 0.3: 0.9}, 0.03), ({1.0: 1.1, 3.0: 1.1}, 1.0)],
)
def test_popularity_costs_whole_histories_little(whole, wanted):
    class Stub:
        """Short histories are happiest with .3 and more; whole ones say what `whole` says, and 1 elsewhere up to .3."""

        def shortened(self):
            return "short"

        def value(self, factors, settings, seen=None):
            if seen:
                return min(settings.popularity, 0.3)
            return whole.get(settings.popularity, 1.0 if settings.popularity <= 0.3 else 0.5)

    class StubSolver:
        def factors(self, settings):
            return "factors"

    search = _Search(Stub(), StubSolver(), LinearSettings())
    search.choose_popularity()
    assert search.best.popularity == wanted


@pytest.mark.parametrize(
    ("worth", "wanted"), [({}, 1.05), ({1.05: 0.98, 0.8: 0.985}, 0.6), ({1.05: 0.998}, 1.05), ({0.2: 2.0}, 0.2)]
)
def test_items_without_ratings_do_not_get_in_the_way_of_others(worth, wanted):
    class Stub:
        """Two users with one item each of three; the third item is known by its content alone."""

        seen, n_items = Histories(np.array([0, 1, 2]), np.array([0, 1]), np.ones(2, np.float32)), 3

        def value(self, factors, settings, share=None):
            rows.append(factors.candidates)
            np.testing.assert_array_equal(share, [0.5, 0.5, 0.5])
            return worth.get(settings.content_scale, 1.0)

    class StubSolver:
        def factors(self, settings):
            return Factors(np.eye(3), np.array([[2.0, 0, 0], [0, 2, 0], [0, 0, 0]]))

    rows = []
    search = _Search(Stub(), StubSolver(), LinearSettings())
    search.choose_content_scale(indicators([["a"], ["b"], ["a"]], ["a", "b"]))
    assert search.best.content_scale == wanted
    lengths = [np.linalg.norm(row[2]) for row in rows]
    np.testing.assert_allclose(np.divide(lengths, CONTENT_SCALES), lengths[0] / CONTENT_SCALES[0])
    assert lengths[0] > 0 and all(np.array_equal(row[:2], rows[0][:2]) for row in rows)


def test_genres_without_variation_change_nothing_that_is_found():
    made = clusters(users=150)
    train, _ = split_ratings(replace(made, genres=[["same"]] * len(made.items)), "random", 1)
    content, declared = item_content(train), indicators(declared_preferences(train), preference_vocabulary(train))
    found = fit_linear(train, content, declared, split="random", seed=1, window=50, ranks=[16])
    assert all(np.isfinite(table).all() for table in found.tables.values())


@pytest.mark.parametrize(("share", "wanted"), [(1.0, 2), (0.99, 1), (0.5, 0)])
def test_the_first_value_that_is_nearly_the_best_is_taken(share, wanted):
    assert first_nearly_best([0.6, 0.995, 1.0, 0.999, 1.0], share) == wanted
