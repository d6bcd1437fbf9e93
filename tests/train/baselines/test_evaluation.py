"""Every baseline on one split."""

import math
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.train.baselines.evaluation import BASELINES, evaluate_baselines
from pocketrec.train.baselines.interactions import MAX_SQUARE_ITEMS
from pocketrec.train.data.ratings import split_ratings

from tests.conftest import raises
from tests.train.baselines.made_ratings import made, scores_and_stars, two_tastes


def measures(row):
    return [row.rmse, row.recall_at_10, row.recall_at_100, row.ndcg_at_10]


def test_popularity_scores_every_user_by_the_number_of_training_events():
    train = made([(0, 2, 1), (1, 2, 1), (1, 0, 5), (2, 2, 3)], 3, 4)
    assert BASELINES["popularity"].fit(train).score(np.array([0, 2])).tolist() == [[1, 0, 3, 0]] * 2


@pytest.mark.parametrize("split", ["random", "leave-last-out"])
def test_every_baseline_measures_users_with_one_event_and_items_with_none(split):
    events = [*zip(two_tastes().user, two_tastes().item, two_tastes().rating, strict=True), (40, 3, 5), (41, 21, 2)]
    rows = evaluate_baselines(*split_ratings(made(events, 43, 23), split, 42))
    assert [row.model for row in rows] == list(BASELINES)
    for row in rows:
        assert row.skipped is None and row.seconds > 0
        assert all(value is None or math.isfinite(value) for value in measures(row))


def test_what_each_baseline_offers():
    offers = {}
    for row in evaluate_baselines(*split_ratings(two_tastes(), "random", 0)):
        offers[row.model] = (row.rmse is not None, row.ndcg_at_10 is not None)
    assert offers == {
        "popularity": (False, True),
        "bias": (True, False),
        "item_knn": (True, True),
        "ease": (False, True),
        "matrix_factorisation": (True, True),
    }


@pytest.mark.parametrize("change", [{"rating": np.full(len(two_tastes()), 4, np.float32)}, {"is_implicit": True}])
def test_implicit_data_has_no_rmse_and_no_bias_model(change):
    rows = evaluate_baselines(*split_ratings(replace(two_tastes(), **change), "random", 0))
    assert all(row.rmse is None for row in rows)
    assert [row.model for row in rows if row.skipped] == ["bias"]
    assert all(row.ndcg_at_10 is not None for row in rows if row.model != "bias")


def test_item_item_models_are_skipped_over_large_catalogues():
    train, test = split_ratings(made([(u, u + i, 1 + i) for u in range(4) for i in range(4)], 4, 20_001), "random", 0)
    for row in evaluate_baselines(train, test, names=["ease", "item_knn"]):
        assert measures(row) == [None] * 4 and row.seconds == 0
        assert row.skipped and "20001 items" in row.skipped and str(MAX_SQUARE_ITEMS) in row.skipped


@pytest.mark.parametrize("name", BASELINES)
def test_the_test_part_does_not_change_the_fitted_model(name, monkeypatch):
    train, test = split_ratings(two_tastes(), "random", 0)
    fits, fit = [], BASELINES[name].fit
    spied = replace(BASELINES[name], fit=lambda part: fits.append(fit(part)) or fits[-1])
    monkeypatch.setitem(BASELINES, name, spied)
    altered = replace(test, item=test.item[::-1].copy(), rating=np.full(len(test), 3, np.float32))
    first, second = (evaluate_baselines(train, part, names=[name])[0] for part in (test, altered))
    assert measures(first) != measures(second)
    for before, after in zip(*(scores_and_stars(fitted, train) for fitted in fits), strict=True):
        assert (before is None and after is None) or np.array_equal(before, after)


def test_an_unknown_baseline_is_refused_with_the_nearest_name():
    train, test = split_ratings(two_tastes(), "random", 0)
    with raises("NAME_UNKNOWN") as caught:
        evaluate_baselines(train, test, names=["popularty"])
    assert "did you mean popularity" in str(caught.value)


def test_rows_name_their_source_and_each_step_is_logged(caplog):
    caplog.set_level("INFO", "pocketrec")
    rows = evaluate_baselines(*split_ratings(two_tastes(), "random", 0), names=["bias", "popularity"])
    assert [row.source for row in rows] == [BASELINES[name].source for name in ("bias", "popularity")]
    steps = [record.getMessage() for record in caplog.records]
    assert steps == ["fitting baseline 1 of 2: bias", "fitting baseline 2 of 2: popularity"]
