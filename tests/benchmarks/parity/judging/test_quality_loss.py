"""Loss of quality by kind of user and item."""

import numpy as np
import pytest
from pocketrec.benchmarks.parity.judging.quality_loss import LIST_QUALITY, list_quality
from pocketrec.core.metrics import thirds
from pocketrec.core.records.agreement import QUALITY, ThirdsOfHistory, ThirdsOfPopularity


class Simple:
    """One user who chose items 0, 1 and 2 later; 0 and 1 are popular, 2 is not."""

    truth_mask = np.array([[True, True, True, False]])
    item_thirds = np.array([2, 2, 0, 1])
    history_lengths = np.array([7])


def test_loss_by_popularity_shows_what_the_mean_hides():
    """The variant loses the one item of the tail that was chosen later, and keeps the two of the head."""
    best, ids = np.array([[0, 1, 2]]), np.array([[0, 1, 3]])
    found = list_quality("recall_at_100", ids, best, Simple())
    assert found.quality_loss == pytest.approx(1 / 3)
    assert found.quality_loss_by_popularity == ThirdsOfPopularity(1.0, None, 0.0)
    assert found.quality_loss_by_history == ThirdsOfHistory(pytest.approx(1 / 3), None, None)


def test_every_quality_has_a_name_for_people():
    assert set(LIST_QUALITY) < set(QUALITY)


def test_thirds_follow_the_order():
    assert thirds(np.array([5, 1, 9, 2, 8, 3])).tolist() == [1, 0, 2, 0, 2, 1]
    assert thirds(np.array([4, 4])).tolist() == [0, 1] and thirds(np.array([])).tolist() == []
