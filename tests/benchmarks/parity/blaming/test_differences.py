"""How far a tensor is from what it should hold."""

import numpy as np
import pytest
from pocketrec.benchmarks.parity.blaming.differences import shares_by_query, worst_share

INF, NAN = np.inf, np.nan


def floats(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("expected", "got", "share"),
    [
        (floats(0, 10), floats(0, 9), 0.1),
        (floats(5, 5), floats(5, 4), 0.2),  # no range: by size
        (floats(0, 0), floats(0, 3), 3.0),
        (floats(-INF, 0, 4), floats(-INF, 1, 4), 0.25),
        (floats(-INF, 0), floats(0, 0), INF),
        (floats(0, 1), floats(0, NAN), INF),
        (floats(0, 1), floats(0, 1, 2), INF),
        (floats(NAN, 1, 2), floats(7, 1, 2), 0.0),  # nothing was expected there
        (floats(), floats(), 0.0),
        (np.array([3, 900, 7, 4]), np.array([3, 4, 7, 900]), 0.5),  # ids are no quantities
        (np.array([True, False]), np.array([True, True]), 0.5),
        (np.array([-128, 127], np.int8), np.array([-128, 76], np.int8), 0.2),
    ],
)
def test_a_share_of_the_expected_range(expected, got, share):
    assert worst_share([expected], [got]) == pytest.approx(share)


def test_the_range_is_that_of_all_queries_unless_each_is_asked_alone():
    expected, got = [floats(0, 1), floats(0, 10)], [floats(0, 2), floats(0, 10)]
    assert worst_share(expected, got) == pytest.approx(0.1)
    assert shares_by_query(expected, got).tolist() == [1.0, 0.0]
