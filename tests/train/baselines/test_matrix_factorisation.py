"""Alternating least squares against its normal equations."""

from dataclasses import replace

import numpy as np
import pytest
from pocketrec.train.baselines import matrix_factorisation
from pocketrec.train.baselines.evaluation import BASELINES
from pocketrec.train.baselines.matrix_factorisation import implicit_als

from tests.train.baselines.made_ratings import made, scores_and_stars, two_tastes


def test_implicit_als_solves_its_normal_equations(monkeypatch):
    """One factor, one user, one item seen n times: x = (1 + alpha n) y / ((1 + alpha n) y^2 + reg), and y likewise."""
    monkeypatch.setattr(matrix_factorisation, "WIDTH", 1)
    monkeypatch.setattr(matrix_factorisation, "SWEEPS", 200)
    train = made([(0, 0, 1)] * 3, 1, 1)
    score = implicit_als(train)(2.0).score(np.array([0]))
    assert score.item() == pytest.approx(1 - 2.0 / (1 + matrix_factorisation.ALPHA * 3))


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
