"""Whether answers to edge cases pass."""

import numpy as np
import pytest
from pocketrec.benchmarks.parity.judging.edge_gates import judge_edges, value_bound
from pocketrec.benchmarks.parity.judging.gates import Gate
from pocketrec.benchmarks.parity.outputs import TopKLists
from pocketrec.core.records.parity import EdgeResult


def lists(ids, scores):
    expected = np.array([[5.0, 4.0, 3.0, -np.inf]], np.float32)
    return TopKLists(np.array([ids]), np.array([scores], np.float32), np.array([[0, 1]]), expected)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (lists([0, 1], [5.0, 4.05]), ""),
        (lists([0, 1], [5.0, 4.2]), "differs by 0.2, above 0.1"),
        (lists([0, 2], [5.0, 3.0]), "returns an item that scores 1 less than the last it should return"),
        (lists([3, 0], [9.0, 5.0]), "returns 1 items that were seen"),
        (lists([0, 1], [5.0, -60000.0]), "returns 1 items too few"),
    ],
)
def test_each_way_an_edge_case_can_fail(answers, reason):
    found = judge_edges(["edge"], answers, 0.1)["edge"].reason
    assert found == "" if not reason else reason in found


def test_everything_seen_returns_nothing_and_passes():
    nothing = np.full((1, 3), -np.inf, np.float32)
    masked = TopKLists(np.array([[0, 1]]), np.full((1, 2), -60000, np.float32), np.array([[0, 1]]), nothing)
    assert judge_edges(["edge"], masked, 0.1)["edge"] == EdgeResult(0.0, "")
    leaking = TopKLists(np.array([[0, 1]]), np.full((1, 2), 3, np.float32), np.array([[0, 1]]), nothing)
    assert "returns 2 items" in judge_edges(["edge"], leaking, 0.1)["edge"].reason


def test_a_gate_without_a_limit_on_values_does_not_judge_them():
    assert value_bound(Gate({"kendall_tau": 0.9}, "a test"), 5.0, values_are_outputs=True) is None
    assert value_bound(None, 5.0, values_are_outputs=True) is None
    assert judge_edges(["edge"], lists([0, 2], [5.1, 3.0]), None)["edge"].reason == ""
    assert "seen" in judge_edges(["edge"], lists([3, 0], [9.0, 5.0]), None)["edge"].reason


def test_values_that_are_no_outputs_are_bounded_by_a_share_of_their_own_range():
    """A query encoder's outputs are elements of a vector; what an edge case compares are scores of the catalogue."""
    gate = Gate({"max_abs_diff": 1e-4, "max_diff_of_range": 0.02}, "a test")
    assert value_bound(gate, 5.0, values_are_outputs=True) == 1e-4
    assert value_bound(gate, 5.0, values_are_outputs=False) == pytest.approx(0.1)
    assert value_bound(Gate({"max_abs_diff": 1e-4}, "a test"), 5.0, values_are_outputs=False) is None
