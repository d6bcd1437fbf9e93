import json

import numpy as np
import pytest
from pocketrec.convert.converter import convert_function, convert_saved_model
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.inspection import find_traps, inspect_file
from pocketrec.runtimes.model_file.reader import parse_tflite

from tests.conftest import refused


@pytest.fixture
def file(tutorial_run):
    return tutorial_run / "converted" / "ranker-dynamic_int8.tflite"


def test_inspect_shows_signature_ops_with_versions_and_tables(file, pocketrec):
    done = pocketrec("inspect", file, "--json")
    found = json.loads(done.out)
    assert found["schema"] == "pocketrec.inspect/1" and found["size_bytes"] == file.stat().st_size
    assert [port["name"] for port in found["signatures"][0]["inputs"]] == ["items", "user"]
    assert {"name": "GATHER", "version": 2, "count": 4, "delegated": 0} in found["ops"]
    assert found["xnnpack"]["runtime"] == "litert-2.3.0" and found["xnnpack"]["partitions"] >= 1
    assert found["xnnpack"]["n_delegated"] == sum(op["delegated"] for op in found["ops"]) < found["xnnpack"]["n_ops"]
    tables = {tuple(table["shape"]): table for table in found["tables"]}
    assert tables[1665, 32]["dtype"] == "int8" and tables[1665, 32]["bytes"] == 1665 * 32
    assert tables[944, 32]["bytes"] == 944 * 32
    assert "GATHER" in pocketrec("inspect", file).out


def traps_of(data):
    """Traps seen in the bytes alone, without asking a runtime."""
    return [trap.trap for trap in find_traps(parse_tflite(data))]


def test_the_tutorials_plain_conversion_shows_its_traps(tutorial_run, tmp_path):
    """The Keras model as it stands, by the converter's own quantization: what our files avoid."""
    model = Run(tutorial_run).saved_model("ranking")
    traps = traps_of(convert_saved_model(model, signature="serving_default", optimize=True))
    assert traps.count("whole-table-dequantize") == 2
    assert {"string-table", "per-channel-fully-connected"} <= {*traps}


def test_per_channel_weights_under_an_old_label_are_named(run, tmp_path):
    """ai-edge-quantizer writes them; the old runtime answers wrongly without a word."""
    from pocketrec.convert.other_converters import OTHERS, Source

    plain = (run / "converted" / "retriever-float32.tflite").read_bytes()
    data = OTHERS["ai-edge-quantizer dynamic_wi8_afp32"](Source(tmp_path, "serving_default", plain), {})
    traps = traps_of(data)
    assert "mislabelled-per-channel" in traps and "float-table" in traps


def test_row_scales_under_an_old_label_are_named(run, tmp_path):
    from pocketrec.convert.flatbuffer.operators import GraphEditor

    editor = GraphEditor((run / "converted" / "ranker-dynamic_int8.tflite").read_bytes())
    for op in editor.ops:
        if editor.name_of(op) == "GATHER":
            table, ids = int(op.inputs[0]), int(op.inputs[1])
            op.inputs, op.opcodeIndex = [ids, table], editor.op("EMBEDDING_LOOKUP", 3, [], []).opcodeIndex
            op.builtinOptions, op.builtinOptionsType = None, 0
            rows = int(editor.tensor(table).shape[0])
            editor.tensor(table).quantization.scale = np.ones(rows, np.float32)
    assert "mislabelled-per-channel" in traps_of(editor.pack())


def test_reference_kernels_are_named(run, tmp_path):
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(lambda x, y: {"z": tf.matmul(x, y)})
    specs = (tf.TensorSpec([2, 3, 4], tf.float32, "x"), tf.TensorSpec([2, 4, 5], tf.float32, "y"))
    assert traps_of(convert_function(module, module.f.get_concrete_function(*specs))) == ["reference-kernel"]
    assert traps_of((run / "converted" / "retriever-int16x8.tflite").read_bytes()) == ["reference-kernel"]


def test_a_reshape_that_breaks_delegation_is_named(tmp_path):
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(lambda x: {"y": tf.reshape(tf.tanh(x), tf.stack([tf.shape(x)[1], 1])) * 3.0})
    data = convert_function(module, module.f.get_concrete_function(tf.TensorSpec([1, None], tf.float32, "x")))
    (tmp_path / "x.tflite").write_bytes(data)
    assert [trap["trap"] for trap in inspect_file(tmp_path / "x.tflite")["traps"]] == ["breaks-delegation"]
    assert traps_of(data) == []


def test_a_file_without_signature_is_named(run, tmp_path):
    editor = Editor((run / "converted" / "ranker-float32.tflite").read_bytes())
    editor.model.signatureDefs = None
    assert traps_of(editor.pack()) == ["missing-signature"]


def test_a_file_that_the_runtime_refuses_is_inspected_all_the_same(run, tmp_path, pocketrec):
    editor = Editor((run / "converted" / "ranker-float32.tflite").read_bytes())
    editor.set_version(editor.ops[0], 99)
    (tmp_path / "new.tflite").write_bytes(editor.pack())
    done = pocketrec("inspect", tmp_path / "new.tflite", "--json")
    found = json.loads(done.out)
    assert done.code == 0 and found["xnnpack"]["n_delegated"] is None and "99" in found["xnnpack"]["reason"]


def test_fail_on_trap_exits_1_only_when_there_is_one(run, pocketrec):
    assert pocketrec("inspect", run / "converted" / "ranker-dynamic_int8.tflite", "--fail-on", "trap").code == 0
    assert pocketrec("inspect", run / "converted" / "ranker-int16x8.tflite", "--fail-on", "trap").code == 1


def test_files_that_are_no_model_are_one_line(file, pocketrec, tmp_path):
    data = file.read_bytes()
    cases = {"empty": b"", "text": b"hello world, not a model", "cut": data[: len(data) // 3], "head": data[:40]}
    for name, content in cases.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        assert "expected a .tflite file" in refused(pocketrec("inspect", path)), name
    assert "No such file" in refused(pocketrec("inspect", tmp_path / "none.tflite"))


def test_a_file_of_2_gb_is_refused_unread(pocketrec, tmp_path):
    with (tmp_path / "huge.tflite").open("wb") as stream:
        stream.truncate(2**31)
    assert "2147483648" in refused(pocketrec("inspect", tmp_path / "huge.tflite"))


def test_any_cut_or_flipped_byte_is_refused_or_read_but_never_crashes(file, tmp_path):
    """Structure only: what a byte means is the hash's to guard."""
    from pocketrec.core.errors import InputError
    from pocketrec.runtimes.model_file.reader import read_tflite

    data = file.read_bytes()
    for position in range(0, len(data), len(data) // 150):
        for content in (data[:position], data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]):
            (tmp_path / "x.tflite").write_bytes(content)
            try:
                read_tflite(tmp_path / "x.tflite")
            except InputError:
                continue
