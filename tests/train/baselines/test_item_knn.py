"""Nearest neighbours against hand-computed sums."""

import math

import numpy as np
import pytest
from pocketrec.train.baselines.biases import fit_biases
from pocketrec.train.baselines.item_knn import cosine_knn, rating_knn

from tests.train.baselines.made_ratings import made


def test_cosine_knn_sums_the_similarities_of_the_users_items():
    fitted = cosine_knn(made([(0, 0, 5), (0, 1, 5), (1, 0, 5)], 3, 3))(20)
    expected = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]]) / math.sqrt(2)
    assert fitted.score(np.arange(3)) == pytest.approx(expected)


def test_cosine_knn_counts_only_the_nearest_neighbours():
    train = made([(0, 0, 5), (0, 1, 5), (1, 0, 5), (1, 1, 5), (2, 1, 5), (2, 2, 5), (3, 2, 5)], 4, 3)
    assert cosine_knn(train)(1).score(np.array([3])).tolist() == [[0, 0, 0]]
    assert cosine_knn(train)(2).score(np.array([3])) == pytest.approx(np.array([[0, 1 / math.sqrt(6), 0]]))


def test_rating_knn_carries_the_residual_of_the_only_similar_item():
    train = made([(0, 0, 5), (0, 1, 5), (1, 0, 1), (1, 1, 1), (2, 0, 5)], 3, 3)
    biases = fit_biases(train)
    pair = np.array([2, 2], np.int32), np.array([1, 2], np.int32)
    residual = 5 - biases.predict(np.array([2]), np.array([0]))[0]
    expected = biases.predict(*pair) + np.array([residual, 0])
    assert residual > 0.5
    assert rating_knn(train).predict(*pair) == pytest.approx(expected, abs=1e-5)


def test_rating_knn_does_not_predict_an_item_from_itself():
    train = made([(0, 0, 5), (0, 1, 4), (1, 0, 1)], 2, 2)
    alone = np.array([1], np.int32), np.array([0], np.int32)
    assert rating_knn(train).predict(*alone) == fit_biases(train).predict(*alone)
