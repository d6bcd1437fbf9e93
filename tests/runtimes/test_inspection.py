"""What `inspect` finds, in files of the kit and of others."""

import json

import numpy as np
import pytest
from pocketrec.convert.converter import convert_saved_model
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.convert.flatbuffer.operators import GraphEditor
from pocketrec.convert.other_converters import OTHERS, Source
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.inspection import find_traps, inspect_model
from pocketrec.runtimes.model_file.reader import parse_tflite
from pocketrec.runtimes.model_file.schema import schema
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME

from tests.conftest import raises
from tests.convert.models import converted


def model(run, name):
    return (run / "converted" / f"{name}.tflite").read_bytes()


def test_inspect_shows_signature_ops_with_versions_and_tables(tiny, pocketrec):
    file = tiny / "converted" / "ranker-dynamic_int8.tflite"
    found = inspect_model(file)
    assert found.file == file.name and found.size_bytes == file.stat().st_size
    names = ["history", "items", "preferences", "stars"]
    assert [port.name for port in found.signatures[0].inputs] == [port.name for port in found.inputs] == names
    assert found.xnnpack.runtime == CURRENT_RUNTIME and found.xnnpack.partitions >= 1
    assert found.xnnpack.n_delegated == sum(op.delegated for op in found.ops) < found.xnnpack.n_ops
    assert found.xnnpack.n_ops == sum(op.first_subgraph for op in found.ops)
    n_items = Run(tiny).record.data.n_items
    assert any(table.dtype == "int8" and table.shape[0] in (n_items, n_items + 1) for table in found.tables)
    assert json.loads(pocketrec("inspect", file, "--json").out) == found.to_json()
    assert "GATHER" in pocketrec("inspect", file).out


def test_inspect_takes_bytes(tiny):
    path = tiny / "converted" / "query_encoder-float32.tflite"
    found, of_bytes = inspect_model(str(path)), inspect_model(path.read_bytes())
    assert of_bytes.file == "" and of_bytes.to_json() | {"file": path.name} == found.to_json()


def test_other_subgraphs_are_counted_apart_and_their_constants_are_shown():
    """A table of strings is filled by an initialiser, a subgraph of its own."""
    from pocketrec.train.tf import tf

    keys = [f"a rather long title, number {number}" for number in range(60)]
    init = tf.lookup.KeyValueTensorInitializer(keys, tf.range(60, dtype=tf.int64))
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(init, -1)
    module.f = tf.function(lambda title: {"id": module.table.lookup(title)})
    from pocketrec.convert.converter import convert_function

    data = convert_function(module, module.f.get_concrete_function(tf.TensorSpec([None], tf.string, "title")))
    found = inspect_model(data)
    counts = {op.name: (op.count, op.first_subgraph) for op in found.ops}
    assert counts["HASHTABLE_IMPORT"] == (1, 0) and counts["HASHTABLE_FIND"] == (1, 1)
    strings = [table for table in found.tables if table.dtype == "string"]
    assert strings and strings[0].subgraph > 0 and strings[0].bytes > 60 * 30
    assert sum(op.first_subgraph for op in found.ops) == found.xnnpack.n_ops


def traps_of(data):
    """Traps seen in the bytes alone, without running them."""
    return [trap.trap for trap in find_traps(parse_tflite(data))]


def test_the_tutorials_plain_conversion_shows_its_traps(tutorial_run, tmp_path):
    """The Keras model as it stands, by the converter's own quantization: what our files avoid."""
    model = Run(tutorial_run).saved_model("ranking")
    traps = traps_of(convert_saved_model(model, signature="serving_default", optimize=True))
    assert traps.count("whole-table-dequantize") == 2
    assert {"string-table", "per-channel-fully-connected"} <= {*traps}


def test_per_channel_weights_under_an_old_label_are_named(tiny, tmp_path):
    """litert-quantizer writes them; the old runtime answers wrongly without a word."""
    plain = model(tiny, "retriever-float32")
    data = OTHERS["litert-quantizer dynamic_wi8_afp32"](Source(tmp_path, "serving_default", plain), {})
    traps = traps_of(data)
    assert "mislabelled-per-channel" in traps and "float-table" in traps


def test_row_scales_under_an_old_label_are_named(tiny):
    editor = GraphEditor(model(tiny, "ranker-dynamic_int8"))
    for op in editor.ops:
        table, ids = (int(index) for index in [*op.inputs, -1][:2])
        if editor.name_of(op) == "GATHER" and editor.is_quantized(table):
            op.inputs, op.opcodeIndex = [ids, table], editor.op("EMBEDDING_LOOKUP", 3, [], []).opcodeIndex
            op.builtinOptions, op.builtinOptionsType = None, 0
            rows = int(editor.tensor(table).shape[0])
            editor.tensor(table).quantization.scale = np.ones(rows, np.float32)
    assert "mislabelled-per-channel" in traps_of(editor.pack())


def test_reference_kernels_are_named(tiny):
    from pocketrec.train.tf import tf

    specs = (tf.TensorSpec([2, 3, 4], tf.float32, "x"), tf.TensorSpec([2, 4, 5], tf.float32, "y"))
    assert traps_of(converted(lambda x, y: {"z": tf.matmul(x, y)}, *specs)) == ["reference-kernel"]
    assert traps_of(model(tiny, "retriever-int16x8")) == ["reference-kernel"]


def test_a_reshape_that_breaks_delegation_is_named():
    from pocketrec.train.tf import tf

    def graph(x):
        return {"y": tf.reshape(tf.tanh(x), tf.stack([tf.shape(x)[1], 1])) * 3.0}

    data = converted(graph, tf.TensorSpec([1, None], tf.float32, "x"))
    assert [trap.trap for trap in inspect_model(data).traps] == ["breaks-delegation", "gpu-free-dimension"]
    assert traps_of(data) == []


def test_a_file_without_signature_is_named_and_shows_the_ports_of_its_graph(tiny, tmp_path, pocketrec):
    editor = Editor(model(tiny, "ranker-float32"))
    editor.model.signatureDefs = None
    (tmp_path / "mute.tflite").write_bytes(editor.pack())
    found = inspect_model(tmp_path / "mute.tflite")
    assert [trap.trap for trap in found.traps] == ["missing-signature", "gpu-free-dimension"] and not found.signatures
    assert [port.dtype for port in found.outputs] == ["float32"] and len(found.inputs) == 4
    assert found.inputs[0].name in pocketrec("inspect", tmp_path / "mute.tflite").out


@pytest.mark.parametrize(
    ("name", "traps"),
    [("Landmarks2TransformMatrix", ["custom-op"]), ("FlexStringLower", ["select-tf-ops"]), ("Mfcc", [])],
)
def test_operators_that_apps_do_not_bring_are_named(tiny, name, traps):
    editor = Editor(model(tiny, "query_encoder-float32"))
    code = schema.OperatorCodeT()
    code.customCode, code.builtinCode, code.version = name.encode(), schema.BuiltinOperator.CUSTOM, 1
    editor.model.operatorCodes.append(code)
    op = editor.ops[-1]
    op.opcodeIndex, op.builtinOptions, op.builtinOptionsType = len(editor.model.operatorCodes) - 1, None, 0
    found = find_traps(parse_tflite(editor.pack_as_is()))
    assert [trap.trap for trap in found] == traps and all(name in trap.where for trap in found)


def test_a_file_that_the_runtime_refuses_is_inspected_all_the_same(tiny):
    editor = Editor(model(tiny, "ranker-float32"))
    editor.set_version(editor.ops[0], 99)
    found = inspect_model(editor.pack())
    assert found.xnnpack.n_delegated is None and "99" in found.xnnpack.reason
    assert all(op.delegated is None for op in found.ops)


def test_fail_on_trap_exits_1_only_when_there_is_one(tiny, pocketrec):
    ranker = tiny / "converted" / "ranker-dynamic_int8.tflite"
    assert pocketrec("inspect", ranker, "--fail-on", "trap").code == 0
    assert pocketrec("inspect", ranker, "--fail-on", "gpu-trap").code == 1, "its number of candidates is free"
    assert pocketrec("inspect", tiny / "converted" / "retriever-int16x8.tflite", "--fail-on", "trap").code == 1


def test_files_that_are_no_model_are_refused(tiny, tmp_path):
    data = model(tiny, "ranker-dynamic_int8")
    cases = {"empty": b"", "text": b"hello world, not a model", "cut": data[: len(data) // 3], "head": data[:40]}
    for name, content in cases.items():
        (tmp_path / f"{name}.tflite").write_bytes(content)
        for given in (tmp_path / f"{name}.tflite", content):
            with raises("MODEL_INVALID"):
                inspect_model(given)
    with raises("INPUT_MISSING"):
        inspect_model(tmp_path / "none.tflite")


def test_a_file_of_2_gb_is_refused_unread(tmp_path):
    with (tmp_path / "huge.tflite").open("wb") as stream:
        stream.truncate(2**31)
    with raises("MODEL_INVALID") as caught:
        inspect_model(tmp_path / "huge.tflite")
    assert "2147483648" in str(caught.value)


def test_any_cut_or_flipped_byte_is_refused_or_read_but_never_crashes(tiny):
    """Structure only: what a byte means is the hash's to guard."""
    from pocketrec.core.errors import InputError

    data = model(tiny, "ranker-dynamic_int8")
    for position in range(0, len(data), len(data) // 150):
        for content in (data[:position], data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]):
            try:
                found = parse_tflite(content)
            except InputError as error:
                assert error.code == "MODEL_INVALID"
            else:
                assert found.size_bytes == len(content) and isinstance(found.ports(), tuple)
