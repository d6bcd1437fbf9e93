"""The comparison with other converters, as its command makes it."""

import json

import numpy as np
import pytest
from pocketrec.benchmarks.parity import converter_comparison
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES

from tests.conftest import refused


@pytest.fixture(scope="module")
def compared(run, tmp_path_factory):
    import shutil

    from tests.conftest import call

    own = tmp_path_factory.mktemp("compared") / "run"
    shutil.copytree(run, own)
    done = call(
        "convert", own, "--graph", "retriever", "--recipe", "dynamic_int8", "--recipe", "int4_rows", "--compare"
    )
    assert done.code == 0, done.err
    return json.loads((own / "reports" / "comparison.json").read_text()), done.out


def rows(document):
    return {" ".join(filter(None, (row["made_by"], row["recipe"]))): row for row in document["results"]}


def test_our_files_are_right_on_both_runtimes_and_smaller(compared):
    found = rows(compared[0])
    ours = found["pocketrec dynamic_int8"]
    assert {cell["status"] for cell in ours["runtimes"].values()} == {"right"}
    others = [row["size_bytes"] for row in compared[0]["results"] if row["made_by"] != "pocketrec"]
    assert ours["size_bytes"] < 0.9 * min(others) and ours["float_table_bytes"] == 0


def test_what_others_make_is_run_and_judged_alike(compared):
    found, (old, new) = rows(compared[0]), PHONE_RUNTIMES
    assert {cell["status"] for cell in found["TFLiteConverter"]["runtimes"].values()} == {"right"}
    optimized = found["TFLiteConverter, Optimize.DEFAULT"]["runtimes"]
    assert optimized[old]["status"] == "fails" and "FULLY_CONNECTED" in optimized[old]["reason"]
    silent = found["litert-quantizer dynamic_wi8_afp32"]["runtimes"]
    assert silent[old]["status"] == "wrong" and silent[old]["metrics"]["quality_loss"] > 0.1
    assert silent[new]["status"] == "right" and np.isfinite(silent[new]["metrics"]["max_abs_diff"])


def test_the_table_says_why(compared):
    out = compared[1]
    assert f"{compared[0]['n_queries']} held-out users" in out
    (line,) = [line for line in out.splitlines() if f"dynamic_wi8_afp32 on {PHONE_RUNTIMES[0]} wrong: " in line]
    assert line.startswith("retriever by litert-quantizer") and "top_k_overlap" in line and "is below 0.9" in line


def test_a_converter_that_makes_no_file_is_a_row_beside_ours(cut, monkeypatch):
    def refuse(source, feeds):
        raise ValueError("planted")

    monkeypatch.setattr(converter_comparison, "OTHERS", {"another tool": refuse})
    document = converter_comparison.compare_converters(cut("query_encoder", "float32")).to_json()
    found = rows(document)
    assert found["another tool"]["size_bytes"] is None
    cells = found["another tool"]["runtimes"].values()
    assert {(cell["status"], cell["reason"]) for cell in cells} == {("none", "makes no file: planted")}
    ours = found["pocketrec float32"]["runtimes"]
    assert {cell["status"] for cell in ours.values()} == {"right"} and set(ours) == set(PHONE_RUNTIMES)
    assert all(cell["metrics"]["top_k_overlap"] == 1.0 for cell in ours.values())


def test_comparing_a_foreign_model_is_refused(pocketrec, tmp_path):
    line = refused(pocketrec("convert", "--saved-model", tmp_path, "--out", tmp_path / "out", "--compare"))
    assert "--compare" in line
