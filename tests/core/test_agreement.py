"""The table of metrics."""

import pytest
from pocketrec.core.records.agreement import METRICS, QUALITY, Agreement, Metric
from pocketrec.core.records.record import describe


def test_every_metric_says_what_it_means():
    assert {spec.name for spec in describe(Agreement) if spec.meaning} >= set(METRICS)
    assert all(metric.label for metric in METRICS.values() if metric.is_gated or metric.in_cell)


def test_a_share_of_what_a_gate_allows_runs_from_perfect_to_the_bound():
    overlap, diff = METRICS["top_k_overlap"], METRICS["max_abs_diff"]
    assert overlap.share(1.0, 0.9) == 0.0 and overlap.share(0.95, 0.9) == pytest.approx(0.5)
    assert diff.share(0.0, 0.2) == 0.0 and diff.share(0.3, 0.2) == pytest.approx(1.5)
    assert METRICS["quality_loss"].share(-0.1, 0.2) == 0.0, "a gain takes nothing"
    assert diff.share(0.1, 0.0) == float("inf") and diff.share(0.0, 0.0) == 0.0


def test_a_limit_from_below_need_not_be_a_share_of_one():
    """Perfect may lie anywhere; without a perfect value nothing tells how much of a gate was taken."""
    decibels = Metric("signal to noise", "dB", "signal", "higher", perfect=60.0)
    assert decibels.share(50.0, 40.0) == pytest.approx(0.5) and decibels.keeps(50.0, 40.0)
    assert Metric("hits per user", "", "hits", "higher").share(12.0, 10.0) is None


def test_the_worst_of_some_values_depends_on_what_is_better():
    assert METRICS["top_k_overlap"].worst([0.9, 1.0]) == 0.9 and METRICS["max_abs_diff"].worst([0.9, 1.0]) == 1.0
    assert METRICS["max_abs_diff"].worst([]) is None


def test_values_by_name_are_numbers_only():
    found = Agreement(quality_metric="rmse", flips=3)
    assert found.value("flips") == 3 and found.value("quality_metric") is None and found.value("max_abs_diff") is None


def test_every_quality_has_names_and_a_direction():
    assert {quality.better for quality in QUALITY.values()} == {"lower", "higher"}
