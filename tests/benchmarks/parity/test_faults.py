"""Planted faults: each is caught, and by the measure named. A fault that no measure catches asks for another measure."""

import json
import shutil

import numpy as np
import pytest
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.convert.flatbuffer.operators import GraphEditor
from pocketrec.convert.other_converters import OTHERS, Source
from pocketrec.convert.stage import convert_run
from pocketrec.core.documents import write_json
from pocketrec.core.hashing import sha256_bytes
from pocketrec.core.queries import model_inputs as query_inputs
from pocketrec.core.run_dir import Run


@pytest.fixture
def check(run, tmp_path):
    """Run parity of one variant of a copy of the run, after something was done to it; returns its rows by runtime."""
    own = Run(shutil.copytree(run, tmp_path / "run"))

    def rows(graph, recipe, *, data=None, refresh=False):
        document = own.variants_json
        (variant,) = document["variants"] = [
            v for v in document["variants"] if (v["graph"], v["recipe"]) == (graph, recipe)
        ]
        if data is not None:
            (own.converted / variant["file"]).write_bytes(data)
            variant["sha256"] = sha256_bytes(data)
        write_json(own.converted / "variants.json", document)
        found = check_parity(own, refresh_reference=refresh).to_json()["results"]
        return {row["runtime"]: row for row in found if row["delegate"] == "xnnpack"}

    rows.run = own
    return rows


def caught(rows, measure):
    for row in rows.values():
        assert row["status"] == "fail" and measure in row["reason"], row["reason"]


def test_nothing_planted_passes(check):
    assert {row["status"] for row in check("retriever", "dynamic_int8").values()} == {"pass"}


def swap_star_wars_and_fargo(run):
    path = run.trained / "vocabularies" / "items.txt"
    lines = path.read_text().splitlines()
    a, b = lines.index("50"), lines.index("100")
    lines[a], lines[b] = lines[b], lines[a]
    path.write_text("\n".join(lines) + "\n")


def test_two_vocabulary_rows_swapped(check):
    swap_star_wars_and_fargo(check.run)
    caught(check("retriever", "float32", refresh=True), "max_abs_diff")


def test_two_vocabulary_rows_swapped_under_int8(check):
    swap_star_wars_and_fargo(check.run)
    caught(check("retriever", "dynamic_int8", refresh=True), "max_diff_of_range")


def shifted(by, pad=None):
    def history(query, names):
        seen = (query.seen + by) % len(names.items)
        return query_inputs._window(seen, len(names.items) if pad is None else pad, names, np.int32)

    return history


def test_ids_off_by_one(check, monkeypatch):
    monkeypatch.setitem(query_inputs.FEEDS, "history", shifted(1))
    caught(check("retriever", "dynamic_int8"), "top_k_overlap")


def test_unknown_mapped_to_a_real_row(check, monkeypatch):
    monkeypatch.setitem(query_inputs.FEEDS, "history", shifted(0, pad=0))
    caught(check("retriever", "dynamic_int8"), "top_k_overlap")


def test_history_order_reversed(check, monkeypatch):
    backwards = lambda query, names: query_inputs._window(query.seen[-200:][::-1], len(names.items), names, np.int32)  # noqa: E731
    monkeypatch.setitem(query_inputs.FEEDS, "history", backwards)
    caught(check("query_encoder", "dynamic_int8"), "top_k_overlap")


def test_seen_mask_ignored(check, monkeypatch):
    monkeypatch.setitem(query_inputs.FEEDS, "seen", lambda query, names: np.zeros(len(names.items), bool))
    caught(check("retriever", "dynamic_int8"), "masked as seen")


def test_one_scale_of_one_row_corrupted(check):
    """One film of 1,682: too little for the overlap, so the largest difference is a gate of its own."""
    editor = GraphEditor((check.run.converted / "retriever-dynamic_int8.tflite").read_bytes())
    codes = next(i for i, t in enumerate(editor.graph.tensors) if t.name and t.name.endswith(b"/scales"))
    buffer = editor.model.buffers[editor.tensor(codes).buffer]
    buffer.data = np.array(buffer.data)
    buffer.data[1400] = 127
    caught(check("retriever", "dynamic_int8", data=editor.pack()), "max_diff_of_range")


def test_stale_candidates(check):
    path = check.run.trained / "candidates.npy"
    np.save(path, np.roll(np.load(path), 1, axis=0))
    convert_run(check.run, graphs=["retriever"], recipes=["dynamic_int8"])
    caught(check("retriever", "dynamic_int8"), "top_k_overlap")


def test_tables_of_another_run(check):
    editor = GraphEditor((check.run.converted / "ranker-dynamic_int8.tflite").read_bytes())
    for index in range(len(editor.graph.tensors)):
        values = editor.constant(index)
        if values is not None and values.shape == (1683, 24):
            buffer = editor.model.buffers[editor.tensor(index).buffer]
            buffer.data = np.random.default_rng(0).permutation(values).view(np.uint8).reshape(-1)
    caught(check("ranker", "dynamic_int8", data=editor.pack()), "kendall_tau")


def test_a_per_channel_file_labelled_for_the_old_runtime(check, tmp_path):
    plain = (check.run.converted / "retriever-float32.tflite").read_bytes()
    data = OTHERS["ai-edge-quantizer dynamic_wi8_afp32"](Source(tmp_path, "serving_default", plain), {})
    rows = check("retriever", "dynamic_int8", data=data)
    caught({"old": rows["tflite-runtime-2.14.0"]}, "top_k_overlap")
    assert rows["litert-2.3.0"]["status"] == "pass"


def test_faults_are_documented_with_their_measure():
    """The list in docs/parity.md names what each of these tests asserts."""
    from pathlib import Path

    spec = (Path(__file__).parents[3] / "docs" / "parity.md").read_text()
    table = spec.partition("| fault | caught by |")[2]
    faults = (
        "two vocabulary rows swapped",
        "ids off by one",
        "unknown mapped to a real row",
        "one row's scale corrupted",
        "stale `candidates.npy`",
        "history reversed",
        "seen mask ignored",
        "mislabelled per-channel file",
        "tables of another run",
    )
    for fault in faults:
        assert fault in table, fault
    assert json.dumps("max_diff_of_range")[1:-1] in table
