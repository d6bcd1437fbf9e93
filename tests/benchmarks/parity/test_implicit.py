"""Rankers of runs without ratings predict nothing, so they are not judged in ratings."""

import json

import pytest
from pocketrec.benchmarks.parity.judging.gates import read_gates
from pocketrec.benchmarks.parity.rejudge import rejudge
from pocketrec.cli.render.parity import parity_table
from pocketrec.convert.quantize.recipes import RECIPES


@pytest.fixture
def implicit(stored):
    """Stored outputs of a run that is said to have no ratings."""
    run = stored("ranker", "float32", "dynamic_int8")
    path = run.trained / "run.json"
    record = json.loads(path.read_text())
    record["data"]["is_implicit"] = True
    path.write_text(json.dumps(record))
    return run


def test_a_ranker_without_ratings_has_gates_and_metrics_of_its_own(implicit):
    for row in rejudge(implicit).rows:
        assert row.status == "pass" and set(row.limits) == {"max_diff_of_range", "kendall_tau"}
        assert row.metrics.quality_metric is row.metrics.quality_reference is row.metrics.quality_loss is None
        assert row.metrics.kendall_tau is not None


def test_no_quality_is_shown_where_there_is_none(implicit):
    table = parity_table(rejudge(implicit)).content
    assert not any("RMSE" in cell.text for row in table.rows for cell in row)


def test_no_implicit_gate_is_in_the_unit_of_ratings():
    for recipe in RECIPES:
        gate = read_gates().find("ranker", recipe, is_implicit=True)
        assert gate and not {"max_abs_diff", "quality_loss"} & set(gate.limits)
