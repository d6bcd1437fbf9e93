"""Blaming operators of files that this kit did not make, on runtimes that are really wrong and in files that are."""

import numpy as np
import pytest
from pocketrec.benchmarks.parity.blaming import search
from pocketrec.benchmarks.parity.foreign_pair import check_foreign
from pocketrec.convert.converter import convert_function
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.convert.other_converters import OTHERS, Source
from pocketrec.core.records.parity import ParityReport
from pocketrec.runtimes.launch import Outcome, run_variant
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME

from tests.benchmarks.parity.faults import OLDEST_RUNTIME
from tests.conftest import raises, refused
from tests.convert.models import converted


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A SavedModel of three dense layers, its right .tflite file, and one whose second layer has other weights."""
    from pocketrec.train.tf import tf

    folder, rng = tmp_path_factory.mktemp("pair"), np.random.default_rng(0)
    layers = [rng.normal(size=(64, 64)).astype(np.float32) / 8 for _ in range(3)]
    module = tf.Module()

    @tf.function
    def scores(query):
        x = query
        for weights in layers:
            x = tf.tanh(tf.matmul(x, weights))
        return {"scores": x}

    module.scores = scores
    function = scores.get_concrete_function(tf.TensorSpec([1, 64], tf.float32, "query"))
    tf.saved_model.save(module, str(folder / "model"), signatures={"serving_default": function})
    data = convert_function(module, function)
    (folder / "right.tflite").write_bytes(data)
    (folder / "wrong.tflite").write_bytes(with_other_weights(data, layer=1))
    np.savez(folder / "queries.npz", query=rng.normal(size=(30, 1, 64)).astype(np.float32))
    return folder


def dense(editor):
    return [op for op in editor.ops if editor.name_of(op) == "FULLY_CONNECTED"]


def with_other_weights(data, layer):
    editor = Editor(data)
    op = dense(editor)[layer]
    weights = editor.constant(int(op.inputs[1]))
    op.inputs = [int(op.inputs[0]), editor.add_constant(weights[::-1].copy()), *op.inputs[2:]]
    return editor.pack()


def blame(pair, file, **options):
    return check_foreign(pair / "model", pair / file, pair / "queries.npz", blame=True, **options)


@pytest.mark.full
def test_a_wrong_constant_is_found_with_the_float32_file_as_reference(pair, tmp_path):
    """The file is as wrong on one runtime as on another: only another file knows better."""
    report = blame(pair, "wrong.tflite", runtimes=[CURRENT_RUNTIME], out=tmp_path / "out")
    assert len(report.failures) == len(report.rows) == 2
    editor = Editor((pair / "wrong.tflite").read_bytes())
    names = [editor.name_of(op) for op in editor.ops]
    for row in report.rows:
        found = row.blame
        assert found is not None and found.operator == "FULLY_CONNECTED" and found.unseen == []
        assert found.number == [n for n, name in enumerate(names) if name == "FULLY_CONNECTED"][1]
        assert found.reference.startswith("the float32 file") and found.alone is None and found.file is None
        assert found.difference is not None and found.tolerance is not None and found.difference > found.tolerance
        assert [tensor.shape for tensor in found.inputs][:2] == [[1, 64], [64, 64]]
        assert [tensor.is_constant for tensor in found.inputs][:2] == [False, True]
        assert found.probes <= 2 + np.log2(len(names))
    assert ParityReport.from_json(report.to_json(), "report") == report


@pytest.fixture(scope="module")
def mislabelled(pair):
    """Scales per channel under an old label: the oldest runtime reads one scale for all, and says nothing."""
    plain = (pair / "right.tflite").read_bytes()
    data = OTHERS["litert-quantizer dynamic_wi8_afp32"](Source(pair, "serving_default", plain), {})
    (pair / "mislabelled.tflite").write_bytes(data)
    return data


def test_a_runtime_that_is_wrong_is_found_with_the_same_file_elsewhere(pair, mislabelled, tmp_path):
    report = blame(pair, "mislabelled.tflite", runtimes=[OLDEST_RUNTIME], out=tmp_path / "out")
    for row in report.rows:
        found = row.blame
        assert found is not None and (found.operator, found.number, found.alone) == ("FULLY_CONNECTED", 0, "wrong")
        assert found.reference == f"the same file on {CURRENT_RUNTIME} without XNNPACK"
        assert found.file is not None
        graph = tmp_path / "out" / found.file
        with np.load(graph.with_suffix(".npz")) as archive:
            feeds = {name: archive[name] for name in archive.files}
        sides = [run_variant(graph, feeds, runtime=name) for name in (CURRENT_RUNTIME, OLDEST_RUNTIME)]
        (right,), (wrong,) = (side.arrays.values() for side in sides)
        assert np.abs(right - wrong).max() > 0.02 * np.ptp(right)


@pytest.mark.full
def test_a_file_without_signatures_is_searched_by_the_names_of_its_tensors(pair):
    editor = Editor((pair / "wrong.tflite").read_bytes())
    for port in [*editor.signature().inputs, *editor.signature().outputs]:
        editor.tensor(int(port.tensorIndex)).name = port.name
    editor.model.signatureDefs = []
    (pair / "bare.tflite").write_bytes(editor.pack())
    for row in blame(pair, "bare.tflite", runtimes=[CURRENT_RUNTIME]).rows:
        assert row.blame is not None and row.blame.operator == "FULLY_CONNECTED"


def test_there_is_nothing_to_blame_where_every_cell_passes(pair, pocketrec, tmp_path):
    with raises("NOTHING_FAILED"):
        blame(pair, "right.tflite", runtimes=[CURRENT_RUNTIME])
    sides = ["--saved-model", pair / "model", "--tflite", pair / "right.tflite", "--inputs", pair / "queries.npz"]
    line = refused(pocketrec("parity", *sides, "--runtime", CURRENT_RUNTIME, "--blame"))
    assert line.endswith("[NOTHING_FAILED]") and "nothing to blame" in line


@pytest.mark.full
def test_a_process_that_aborts_or_hangs_is_the_finding(pair, mislabelled, monkeypatch):
    """Whatever the runtime under test executes from the second layer on, it does not return."""
    n_dense = []

    def executed(path, feeds, *, runtime, **options):
        layers = len(dense(Editor(path.read_bytes())))
        if runtime == OLDEST_RUNTIME:
            n_dense.append(layers)
            return Outcome("no answer within 1 s") if layers > 1 else run_variant(path, feeds, runtime=CURRENT_RUNTIME)
        return run_variant(path, feeds, runtime=runtime, **options)

    monkeypatch.setattr(search, "run_variant", executed)
    for row in blame(pair, "mislabelled.tflite", runtimes=[OLDEST_RUNTIME]).rows:
        found = row.blame
        assert found is not None and (found.operator, found.reason) == ("FULLY_CONNECTED", "no answer within 1 s")
        assert found.number is not None and found.number > 0 and found.difference is None
        assert found.alone == "right"  # alone it is one layer
    assert max(n_dense) == 3 and min(n_dense) == 1


def test_a_graph_that_nothing_aligns_with_is_said(pair):
    """A file of other operators: no part of it can be compared."""
    from pocketrec.train.tf import tf

    other = converted(lambda query: {"scores": tf.abs(query)}, tf.TensorSpec([1, 64], tf.float32, "query"))
    (pair / "other.tflite").write_bytes(other)
    for row in blame(pair, "other.tflite", runtimes=[CURRENT_RUNTIME]).rows:
        assert row.blame is not None and row.blame.operator is None and row.blame.reason
        assert row.blame.summary.startswith("no operator found")
