"""Biases: ridge regression, and folding a new user in."""

import numpy as np
import pytest
from pocketrec.train.baselines.biases import fit_biases

from tests.train.baselines.made_ratings import made, two_tastes


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
    assert fit_biases(train, reg=5.0).fold_in(np.array([0]), np.array([4.0], np.float32)) == pytest.approx(1 / 6)
    assert fit_biases(train).fold_in(np.array([], np.int32), np.array([], np.float32)) == 0


def test_folding_in_a_trained_users_ratings_gives_the_trained_bias():
    train = two_tastes().take(np.arange(100))
    own = train.take(np.flatnonzero(train.user == 3))
    biases = fit_biases(train)
    assert biases.fold_in(own.item, own.rating) == pytest.approx(biases.user[3])
