"""EASE against its closed form."""

import numpy as np
import pytest
from pocketrec.train.baselines.ease import ease

from tests.train.baselines.made_ratings import made, two_tastes


@pytest.mark.parametrize("reg", [1.0, 500.0])
def test_ease_of_two_items_is_the_closed_form(reg):
    """X'X + reg I = [[2 + reg, 1], [1, 1 + reg]], so B_01 = 1 / (2 + reg) and B_10 = 1 / (1 + reg)."""
    fitted = ease(made([(0, 0, 5), (0, 1, 1), (1, 0, 3)], 2, 2))(reg)
    expected = np.array([[1 / (1 + reg), 1 / (2 + reg)], [0, 1 / (2 + reg)]])
    assert fitted.score(np.arange(2)) == pytest.approx(expected, rel=1e-6)


def test_ease_has_a_zero_diagonal():
    train = two_tastes()
    singles = made(
        [(*event, 5) for event in zip(train.user, train.item, strict=True)] + [(40 + i, i, 5) for i in range(20)],
        60,
        20,
    )
    assert np.diag(ease(singles)(100.0).score(np.arange(40, 60))).tolist() == [0.0] * 20


def test_ease_weighs_a_repeated_event_once():
    once = made([(0, 0, 1), (0, 1, 1), (1, 0, 1)], 2, 2)
    twice = made([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 0, 1)], 2, 2)
    users = np.arange(2)
    assert np.array_equal(ease(once)(1.0).score(users), ease(twice)(1.0).score(users))
