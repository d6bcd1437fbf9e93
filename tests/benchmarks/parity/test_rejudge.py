"""Judging stored outputs again, without running anything."""

import json

import numpy as np
import pytest
from pocketrec.benchmarks.parity import stage
from pocketrec.benchmarks.parity.rejudge import rejudge
from pocketrec.core.records.parity import ParityReport

from tests.conftest import raises


@pytest.fixture
def run(stored, monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("nothing is run")

    monkeypatch.setattr(stage, "_run_batch", never)
    return stored("retriever", "float32", "int4_rows")


def test_the_same_gates_give_the_same_rows(run):
    before = ParityReport.read(run)
    assert rejudge(run).rows == before.rows == ParityReport.read(run).rows and len(before.rows) > 2


def test_other_gates_are_applied_to_the_stored_outputs(run, tmp_path):
    gates = tmp_path / "gates.toml"
    gates.write_text("[retriever.default]\ntop_k_overlap = 0.9999\nreason = 'a test'\n")
    report = rejudge(run, gates=gates)
    assert {(row.recipe, row.status) for row in report.rows} == {("float32", "pass"), ("int4_rows", "fail")}
    assert not report.passed and ParityReport.read(run) == report
    failed = report.failures[0]
    assert failed.limits == {"top_k_overlap": 0.9999} and failed.first_difference is not None


def test_cells_that_did_not_run_stay_as_they_are(run):
    path = run.reports / "parity.json"
    document = json.loads(path.read_text())
    document["results"][0] |= {"status": "error", "reason": "signal 11", "outputs_sha256": None}
    path.write_text(json.dumps(document))
    row = rejudge(run).rows[0]
    assert (row.status, row.reason) == ("error", "signal 11")


def change_variants(run):
    path = run.converted / "variants.json"
    path.write_text(path.read_text() + "\n")


def change_reference(run):
    path = run.reports / "reference.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "scores": arrays["scores"] + 1})


def change_vocabulary(run):
    path = run.trained / "vocabularies" / "items.txt"
    path.write_text("\n".join(reversed(path.read_text().splitlines())) + "\n")


def change_raw_outputs(run):
    path = next((run.reports / "raw").iterdir())
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "scores": arrays["scores"] + 1})


@pytest.mark.parametrize("change", [change_variants, change_reference, change_vocabulary, change_raw_outputs])
def test_outputs_of_other_variants_or_another_reference_are_refused(run, change):
    before = (run.reports / "parity.json").read_bytes()
    change(run)
    with raises("INPUT_CHANGED"):
        rejudge(run)
    assert (run.reports / "parity.json").read_bytes() == before


def test_raw_outputs_that_are_missing_are_named(run):
    path = next((run.reports / "raw").iterdir())
    path.unlink()
    with raises("INPUT_MISSING") as caught:
        rejudge(run)
    assert path.name in str(caught.value)
