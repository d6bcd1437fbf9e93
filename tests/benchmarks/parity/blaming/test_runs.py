"""Blaming operators of a run's variants, from its last report."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.parity.blaming.stage import blame_run
from pocketrec.benchmarks.parity.rejudge import rejudge
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.benchmarks.report.heat_map import cell_detail
from pocketrec.convert.flatbuffer.operators import GraphEditor
from pocketrec.core.files.hashing import sha256_bytes
from pocketrec.core.records.parity import ParityReport
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME

from tests.conftest import raises, refused
from tests.variants import change_variants


def spoil_scan(run):
    """The layer that scores the catalogue in the run's only variant gets its rows in another order; returns its number."""
    (variant,) = run.variants
    path = run.converted / variant.file
    editor = GraphEditor(path.read_bytes())
    sizes = {
        number: editor.constant(int(op.inputs[1])).size
        for number, op in enumerate(editor.ops)
        if editor.name_of(op) == "FULLY_CONNECTED"
    }
    number = max(sizes, key=sizes.get)
    op = editor.ops[number]
    other = editor.add_constant(np.roll(editor.constant(int(op.inputs[1])), 1, axis=0))
    op.inputs = [int(op.inputs[0]), other, *op.inputs[2:]]
    path.write_bytes(editor.pack())
    change_variants(run, lambda rows: [replace(rows[0], sha256=sha256_bytes(path.read_bytes()))])
    return number


@pytest.fixture
def spoiled(cut):
    """A float32 retriever whose catalogue moved by one row, after parity."""
    run = cut("retriever", "float32")
    number = spoil_scan(run)
    assert not check_parity(run, runtimes=[CURRENT_RUNTIME]).passed
    return run, number


def test_failed_cells_get_the_operator_and_keep_it(spoiled, pocketrec, inside):
    run, number = spoiled
    report = blame_run(run)
    assert not report.passed and report == ParityReport.read(run)
    for row in report.rows:
        found = row.blame
        assert found is not None and (found.operator, found.number) == ("FULLY_CONNECTED", number)
        assert found.reference.startswith("the float32 file on ")
        assert cell_detail(row)["blamed"] == found.summary
    again = rejudge(run)
    assert [row.blame for row in again.rows] == [row.blame for row in report.rows]
    done = inside("parity", run.root, "--rejudge")
    assert done.code == 1 and "blamed: FULLY_CONNECTED of [" in " ".join(done.out.split())
    stored = json.loads((run.reports / "parity.json").read_text())["results"][0]["blame"]
    assert stored["operator"] == "FULLY_CONNECTED" and stored["inputs"][1]["is_constant"]


def test_cells_are_chosen_by_name(spoiled):
    run, _ = spoiled
    for option in ("graphs", "recipes", "runtimes", "targets"):
        with raises("NAME_UNKNOWN"):
            blame_run(run, **{option: ["nothing"]})


def test_a_run_in_which_nothing_failed_has_nothing_to_blame(tiny, pocketrec):
    before = (tiny / "reports" / "parity.json").read_bytes()
    line = refused(pocketrec("parity", tiny, "--blame", "--graph", "retriever", "--recipe", "float32"))
    assert line.endswith("[NOTHING_FAILED]") and "nothing to blame" in line
    assert (tiny / "reports" / "parity.json").read_bytes() == before


def test_what_cannot_be_executed_here_is_not_searched(spoiled):
    run, _ = spoiled
    path = run.reports / "parity.json"
    document = json.loads(path.read_text())
    for row in document["results"]:
        row["runtime"] = "litert-9.9.9"
    path.write_text(json.dumps(document))
    with raises("NOTHING_FAILED"):
        blame_run(run)


def test_a_run_without_a_report_is_refused(cut):
    with raises("INPUT_MISSING"):
        blame_run(cut("ranker", "float32"))


@pytest.mark.parametrize("option", ["--rejudge", "--refresh-reference", "--require=host"])
def test_options_that_run_something_else_are_refused(tiny, inside, option):
    assert refused(inside("parity", tiny, "--blame", option)).endswith("[OPTION_CONFLICT]")


def test_names_of_cells_need_blame(tiny, inside):
    assert refused(inside("parity", tiny, "--graph", "retriever")).endswith("[OPTION_MISSING]")


def test_a_runs_report_of_other_variants_is_refused(spoiled):
    run, _ = spoiled
    change_variants(Run(run.root), lambda rows: [replace(rows[0], size_bytes=1)])
    with raises("INPUT_CHANGED"):
        blame_run(run)
