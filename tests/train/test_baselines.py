import math
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.core.errors import InputError
from pocketrec.train import baselines
from pocketrec.train.baselines import BASELINES, Baseline, Fitted, evaluate_baselines, fit_biases, fold_in_bias
from pocketrec.train.data.ratings import Ratings, split_ratings

MEASURES = ("rmse", "recall_at_10", "recall_at_100", "ndcg_at_10")


def made(events, n_users, n_items):
    """Ratings from (user, item, stars), one second apart."""
    user, item, stars = zip(*events, strict=True)
    return Ratings(
        name="made", user=np.array(user, np.int32), item=np.array(item, np.int32), rating=np.array(stars, np.float32),
        timestamp=np.arange(len(events), dtype=np.int64), users=[str(u) for u in range(n_users)],
        items=[str(i) for i in range(n_items)], titles=[f"film {i}" for i in range(n_items)],
        genres=[[] for _ in range(n_items)],
    )  # fmt: skip


def two_tastes(n_users=40, n_items=20):
    """Even users give even items 5 stars and odd ones 1, odd users the reverse; two thirds of the cells are known."""
    cells = [(u, i) for u in range(n_users) for i in range(n_items)]
    return made([(u, i, 1 + 4 * ((u + i) % 2 == 0)) for u, i in cells if (u + 2 * i) % 3], n_users, n_items)


def scores_and_stars(fitted, train):
    users, items = (side.ravel() for side in np.indices((len(train.users), len(train.items)), np.int32))
    score = None if fitted.score is None else fitted.score(np.arange(len(train.users)))
    return score, None if fitted.predict is None else fitted.predict(users, items)


def test_popularity_scores_every_user_by_the_number_of_training_events():
    train = made([(0, 2, 1), (1, 2, 1), (1, 0, 5), (2, 2, 3)], 3, 4)
    assert BASELINES["popularity"].fit(train).score(np.array([0, 2])).tolist() == [[1, 0, 3, 0]] * 2


def test_bias_of_two_opposite_ratings_is_their_shrunk_residual():
    biases = fit_biases(made([(0, 0, 5), (1, 0, 1)], 3, 2), reg=5.0)
    assert (biases.mean, biases.item.tolist()) == (3.0, [0.0, 0.0])
    assert biases.user == pytest.approx([1 / 3, -1 / 3, 0])


def test_biases_solve_the_ridge_problem_and_are_zero_without_ratings():
    train = made([(0, 0, 5), (0, 1, 4), (1, 0, 3), (1, 1, 1), (2, 1, 2)], 4, 3)
    design = np.zeros((len(train), 7))
    design[np.arange(len(train)), train.user] = 1
    design[np.arange(len(train)), 4 + train.item] = 1
    exact = np.linalg.solve(design.T @ design + 5 * np.eye(7), design.T @ (train.rating - 3.0))
    biases = fit_biases(train, reg=5.0)
    assert np.concatenate([biases.user, biases.item]) == pytest.approx(exact, abs=1e-9)
    assert biases.user[3] == biases.item[2] == 0


def test_fold_in_bias_is_the_shrunk_mean_residual():
    train = made([(0, 0, 5), (1, 0, 1)], 2, 1)
    assert fold_in_bias(train, np.array([0]), np.array([4.0], np.float32), reg=5.0) == pytest.approx(1 / 6)
    assert fold_in_bias(train, np.array([], np.int32), np.array([], np.float32)) == 0


def test_folding_in_a_trained_users_ratings_gives_the_trained_bias():
    train = two_tastes().take(np.arange(100))
    own = train.take(np.flatnonzero(train.user == 3))
    assert fold_in_bias(train, own.item, own.rating) == pytest.approx(fit_biases(train).user[3])


def test_cosine_knn_sums_the_similarities_of_the_users_items():
    fitted = baselines._cosine_knn(made([(0, 0, 5), (0, 1, 5), (1, 0, 5)], 3, 3))(20)
    expected = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]]) / math.sqrt(2)
    assert fitted.score(np.arange(3)) == pytest.approx(expected)


def test_cosine_knn_counts_only_the_nearest_neighbours():
    train = made([(0, 0, 5), (0, 1, 5), (1, 0, 5), (1, 1, 5), (2, 1, 5), (2, 2, 5), (3, 2, 5)], 4, 3)
    assert baselines._cosine_knn(train)(1).score(np.array([3])).tolist() == [[0, 0, 0]]
    assert baselines._cosine_knn(train)(2).score(np.array([3])) == pytest.approx(np.array([[0, 1 / math.sqrt(6), 0]]))


def test_rating_knn_carries_the_residual_of_the_only_similar_item():
    train = made([(0, 0, 5), (0, 1, 5), (1, 0, 1), (1, 1, 1), (2, 0, 5)], 3, 3)
    biases = fit_biases(train)
    pair = np.array([2, 2], np.int32), np.array([1, 2], np.int32)
    residual = 5 - biases.predict(np.array([2]), np.array([0]))[0]
    expected = biases.predict(*pair) + np.array([residual, 0])
    assert residual > 0.5
    assert baselines._rating_knn(train).predict(*pair) == pytest.approx(expected, abs=1e-5)


def test_rating_knn_does_not_predict_an_item_from_itself():
    train = made([(0, 0, 5), (0, 1, 4), (1, 0, 1)], 2, 2)
    alone = np.array([1], np.int32), np.array([0], np.int32)
    assert baselines._rating_knn(train).predict(*alone) == fit_biases(train).predict(*alone)


@pytest.mark.parametrize("reg", [1.0, 500.0])
def test_ease_of_two_items_is_the_closed_form(reg):
    """X'X + reg I = [[2 + reg, 1], [1, 1 + reg]], so B_01 = 1 / (2 + reg) and B_10 = 1 / (1 + reg)."""
    fitted = baselines._ease_at(made([(0, 0, 5), (0, 1, 1), (1, 0, 3)], 2, 2))(reg)
    expected = np.array([[1 / (1 + reg), 1 / (2 + reg)], [0, 1 / (2 + reg)]])
    assert fitted.score(np.arange(2)) == pytest.approx(expected, rel=1e-6)


def test_ease_has_a_zero_diagonal():
    train = two_tastes()
    singles = made(
        [(*event, 5) for event in zip(train.user, train.item, strict=True)] + [(40 + i, i, 5) for i in range(20)],
        60,
        20,
    )
    assert np.diag(baselines._ease_at(singles)(100.0).score(np.arange(40, 60))).tolist() == [0.0] * 20


def test_ease_weighs_a_repeated_event_once():
    once = made([(0, 0, 1), (0, 1, 1), (1, 0, 1)], 2, 2)
    twice = made([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 0, 1)], 2, 2)
    users = np.arange(2)
    assert np.array_equal(baselines._ease_at(once)(1.0).score(users), baselines._ease_at(twice)(1.0).score(users))


def test_implicit_als_solves_its_normal_equations(monkeypatch):
    """One factor, one user, one item seen n times: x = (1 + alpha n) y / ((1 + alpha n) y^2 + reg), and y likewise."""
    monkeypatch.setattr(baselines, "ALS_WIDTH", 1)
    monkeypatch.setattr(baselines, "ALS_SWEEPS", 200)
    train = made([(0, 0, 1)] * 3, 1, 1)
    score = baselines._implicit_als(train)(2.0).score(np.array([0]))
    assert score.item() == pytest.approx(1 - 2.0 / (1 + baselines.ALS_ALPHA * 3))


def test_matrix_factorisation_learns_who_likes_what():
    train = two_tastes()
    score, stars = scores_and_stars(BASELINES["matrix_factorisation"].fit(train), train)
    liked = (np.add.outer(np.arange(40), np.arange(20)) % 2 == 0).ravel()
    assert stars[liked].min() > 3.5 and stars[~liked].max() < 2.5
    only_liked = train.take(np.flatnonzero(train.rating == 5))
    score, _ = scores_and_stars(BASELINES["matrix_factorisation"].fit(only_liked), only_liked)
    assert score.ravel()[liked].min() > score.ravel()[~liked].max()


@pytest.mark.parametrize("name", ["bias", "item_knn", "matrix_factorisation"])
def test_an_item_without_ratings_gets_no_more_than_the_mean_and_the_users_bias(name):
    train = replace(two_tastes(), items=[str(i) for i in range(21)])
    stars = BASELINES[name].fit(train).predict(np.array([0], np.int32), np.array([20], np.int32))
    assert abs(stars - train.rating.mean()) < 0.5


@pytest.mark.parametrize("split", ["random", "leave-last-out"])
def test_every_baseline_measures_users_with_one_event_and_items_with_none(split):
    events = [*zip(two_tastes().user, two_tastes().item, two_tastes().rating, strict=True), (40, 3, 5), (41, 21, 2)]
    rows = evaluate_baselines(*split_ratings(made(events, 43, 23), split, 42))
    assert [row["model"] for row in rows] == list(BASELINES)
    for row in rows:
        assert "skipped" not in row and row["seconds"] > 0
        assert all(row[key] is None or math.isfinite(row[key]) for key in MEASURES)


def test_what_each_baseline_offers():
    offers = {}
    for row in evaluate_baselines(*split_ratings(two_tastes(), "random", 0)):
        offers[row["model"]] = (row["rmse"] is not None, row["ndcg_at_10"] is not None)
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
    assert all(row["rmse"] is None for row in rows)
    assert [row["model"] for row in rows if "skipped" in row] == ["bias"]
    assert all(row["ndcg_at_10"] is not None for row in rows if row["model"] != "bias")


def test_item_item_models_are_skipped_over_large_catalogues():
    train, test = split_ratings(made([(u, u + i, 1 + i) for u in range(4) for i in range(4)], 4, 20_001), "random", 0)
    for row in evaluate_baselines(train, test, names=["ease", "item_knn"]):
        assert row == {"model": row["model"], **dict.fromkeys(MEASURES), "seconds": 0.0, "skipped": row["skipped"]}
        assert "20001 items" in row["skipped"] and "20000" in row["skipped"]


def test_predictions_are_clipped_to_the_training_range(monkeypatch):
    wild = Fitted(predict=lambda user, item: np.where(item == 0, 9.0, -9.0).astype(np.float32))
    monkeypatch.setitem(BASELINES, "wild", Baseline("wild", "made", lambda train: wild))
    train, test = made([(0, 0, 2), (0, 1, 4)], 1, 2), made([(0, 0, 5), (0, 1, 2)], 1, 2)
    assert evaluate_baselines(train, test, names=["wild"])[0]["rmse"] == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("name", BASELINES)
def test_the_test_part_does_not_change_the_fitted_model(name, monkeypatch):
    train, test = split_ratings(two_tastes(), "random", 0)
    fits, fit = [], BASELINES[name].fit
    spied = replace(BASELINES[name], fit=lambda part: fits.append(fit(part)) or fits[-1])
    monkeypatch.setitem(BASELINES, name, spied)
    altered = replace(test, item=test.item[::-1].copy(), rating=np.full(len(test), 3, np.float32))
    first, second = (evaluate_baselines(train, part, names=[name])[0] for part in (test, altered))
    assert [first[key] for key in MEASURES] != [second[key] for key in MEASURES]
    for before, after in zip(*(scores_and_stars(fitted, train) for fitted in fits), strict=True):
        assert (before is None and after is None) or np.array_equal(before, after)


def test_tuning_takes_the_least_rmse_on_the_carve_and_the_first_value_without_one():
    def build(train):
        return lambda value: Fitted(predict=lambda user, item: np.full(len(user), value, np.float32))

    pair = np.array([0], np.int32), np.array([0], np.int32)
    train = made([(u, i, 3 + 2 * (i == u) - 2 * (i == u + 1)) for u in range(10) for i in range(10)], 10, 10)
    assert baselines._tuned(train, build, (5.0, 1.0, 3.0)).predict(*pair) == 3
    assert baselines._tuned(train.take(np.arange(2)), build, (5.0, 1.0, 3.0)).predict(*pair) == 5


def test_tuning_takes_the_greatest_ndcg_on_the_carve():
    def build(train):
        return lambda value: Fitted(score=lambda users: np.tile(value * np.arange(30), (len(users), 1)))

    low_items_only = made([(u, i, 5) for u in range(20) for i in range(6)], 20, 30)
    assert baselines._tuned(low_items_only, build, (1.0, -1.0)).score(np.array([0]))[0, 29] == -29


def test_an_unknown_baseline_is_refused_with_the_nearest_name():
    train, test = split_ratings(two_tastes(), "random", 0)
    with pytest.raises(InputError, match="did you mean popularity"):
        evaluate_baselines(train, test, names=["popularty"])


def test_every_baseline_names_its_source():
    assert all(name == baseline.name and baseline.source for name, baseline in BASELINES.items())
