"""Tuning and clipping."""

import math

import numpy as np
import pytest
from pocketrec.train.baselines.evaluation import BASELINES, Baseline, evaluate_baselines
from pocketrec.train.baselines.fitted import Fitted, tuned

from tests.train.baselines.made_ratings import made


def test_tuning_takes_the_least_rmse_on_the_carve_and_the_first_value_without_one():
    def build(train):
        return lambda value: Fitted(predict=lambda user, item: np.full(len(user), value, np.float32))

    pair = np.array([0], np.int32), np.array([0], np.int32)
    train = made([(u, i, 3 + 2 * (i == u) - 2 * (i == u + 1)) for u in range(10) for i in range(10)], 10, 10)
    assert tuned(train, build, (5.0, 1.0, 3.0)).predict(*pair) == 3
    assert tuned(train.take(np.arange(2)), build, (5.0, 1.0, 3.0)).predict(*pair) == 5


def test_tuning_takes_the_greatest_ndcg_on_the_carve():
    def build(train):
        return lambda value: Fitted(score=lambda users: np.tile(value * np.arange(30), (len(users), 1)))

    low_items_only = made([(u, i, 5) for u in range(20) for i in range(6)], 20, 30)
    assert tuned(low_items_only, build, (1.0, -1.0)).score(np.array([0]))[0, 29] == -29


def test_predictions_are_clipped_to_the_training_range(monkeypatch):
    wild = Fitted(predict=lambda user, item: np.where(item == 0, 9.0, -9.0).astype(np.float32))
    monkeypatch.setitem(BASELINES, "wild", Baseline("made", lambda train: wild))
    train, test = made([(0, 0, 2), (0, 1, 4)], 1, 2), made([(0, 0, 5), (0, 1, 2)], 1, 2)
    assert evaluate_baselines(train, test, names=["wild"])[0].rmse == pytest.approx(math.sqrt(0.5))
