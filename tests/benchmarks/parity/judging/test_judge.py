"""The one judge of a cell, on outputs made up for one user over four items."""

import numpy as np
import pytest
from pocketrec.benchmarks.parity.judging.gates import Gate
from pocketrec.benchmarks.parity.judging.graph_comparisons import GraphExpected
from pocketrec.benchmarks.parity.judging.judge import Cell, judge, outputs_sha256, unavailable
from pocketrec.core.records.parity import ParityReport, ParityRow
from pocketrec.runtimes.launch import Outcome
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES

from tests.benchmarks.parity.planted import REFERENCE, retrieved

CELL = Cell("retriever", "float32", CURRENT_RUNTIME)
GATE = Gate({"top_k_overlap": 0.9}, "a test")


@pytest.fixture
def expected(monkeypatch):
    monkeypatch.setattr(GraphExpected, "_titles", list("abcd"))
    return GraphExpected("retriever", REFERENCE)


def test_outputs_that_agree_pass(expected):
    row = judge(CELL, Outcome("", outputs := retrieved([1, 2], [4.0, 3.0])), expected, GATE)
    assert (row.status, row.reason, row.n_queries, row.first_difference) == ("pass", "", 1, None)
    assert row.tolerance == {"top_k_overlap": 0.9, "reason": "a test"} and row.limits == {"top_k_overlap": 0.9}
    assert row.outputs_sha256 == outputs_sha256(outputs)


def test_a_missed_gate_shows_both_lists(expected):
    row = judge(CELL, Outcome("", retrieved([1, 3], [4.0, 1.0])), expected, GATE)
    assert row.status == "fail" and row.reason == "top_k_overlap 0.5 is below 0.9"
    assert row.first_difference is not None and row.first_difference.user == "somebody"
    assert [item.title for item in row.first_difference.variant] == ["b", "d"]


def test_seen_items_that_come_back_fail_under_any_gate(expected):
    row = judge(CELL, Outcome("", retrieved([0, 1], [9.0, 4.0])), expected, Gate({"kendall_tau": -1.0}, "a test"))
    assert row.status == "fail" and "masked as seen" in row.reason


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome("signal 11"), "signal 11"),
        (Outcome("", retrieved([1, 2], [np.nan, 3.0])), "NaN"),
        (Outcome("", {"ids": np.zeros((1, 2), np.int32)}), "scores"),
    ],
)
def test_what_cannot_be_compared_is_an_error_without_metrics(expected, outcome, reason):
    row = judge(CELL, outcome, expected, GATE)
    assert row.status == "error" and reason in row.reason
    assert set(row.metrics.to_json().values()) == {None} and row.edges == {} and row.first_difference is None


def test_without_a_gate_everything_is_compared_and_the_row_fails(expected):
    row = judge(CELL, Outcome("", retrieved([1, 2], [4.0, 3.0])), expected, None)
    assert row.status == "fail" and row.reason == "no gate for retriever.float32"
    assert row.metrics.top_k_overlap == 1.0 and row.tolerance == {"reason": "none"}


def test_a_missing_target_is_skipped_unless_it_is_required(monkeypatch):
    monkeypatch.setattr(type(RUNTIMES[CURRENT_RUNTIME]), "missing", lambda self: "not installed")
    skipped, failed = (unavailable(CELL, GATE, required=required) for required in ([], ["host"]))
    assert skipped and (skipped.status, skipped.reason) == ("skipped", "not installed")
    assert failed and failed.status == "error"


def test_a_report_is_true_when_no_row_failed(expected, tmp_path):
    good = judge(CELL, Outcome("", retrieved([1, 2], [4.0, 3.0])), expected, GATE)
    bad = judge(CELL, Outcome("signal 11"), expected, GATE)
    report = ParityReport(made_from_sha256="0" * 64, results=[good, bad])
    assert not report and not report.passed and report.failures == [bad] and list(report.rows) == [good, bad]
    assert ParityReport(made_from_sha256="0" * 64, results=[good])
    assert ParityReport.from_json(report.to_json()) == report


def test_rows_of_version_0_1_are_read(expected):
    """They lack what was added since: the metrics that a pair has not, edge cases, the hash of the outputs."""
    row = judge(CELL, Outcome("signal 11"), expected, GATE).to_json()
    old = {key: value for key, value in row.items() if key not in ("edges", "outputs_sha256")} | {"metrics": {}}
    assert ParityRow.from_json(old) == ParityRow.from_json(row)
