"""Cutting a graph: what is computed up to an operator, and one operator alone."""

import numpy as np
import pytest
from pocketrec.convert.flatbuffer.cutting import CutGraph, output_name
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.model_file.reader import parse_tflite
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME

from tests.conftest import raises
from tests.convert.models import converted, outputs_of


@pytest.fixture(scope="module")
def model():
    """Two branches of one input that meet again, behind a constant that is computed: bytes."""
    from pocketrec.train.tf import tf

    weights = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)

    def function(x):
        left = tf.nn.relu(tf.matmul(x, weights))
        return {"y": left + tf.exp(x), "best": tf.argmax(left, axis=-1, output_type=tf.int32)}

    return converted(function, tf.TensorSpec([1, 8], tf.float32, "x"))


X = np.random.default_rng(1).normal(size=(3, 1, 8)).astype(np.float32)


def test_every_cut_computes_what_the_whole_graph_does(model):
    cut = CutGraph(model)
    whole = outputs_of(cut.until(len(cut.ops) - 1, cut.observed()), {"x": X}, CURRENT_RUNTIME)
    assert len(whole) == len(cut.ops)
    for place in cut.places():
        found = outputs_of(cut.until(place, cut.live(place)), {"x": X}, CURRENT_RUNTIME)
        assert {output_name(index) for index in cut.ops[place].outputs} <= set(found)
        for name, values in found.items():
            assert np.array_equal(values, whole[name]), (place, name)


def test_what_is_live_is_what_is_read_later(model):
    cut = CutGraph(model)
    for place, op in enumerate(cut.ops[:-1]):
        later = {index for after in cut.ops[place + 1 :] for index in after.inputs} | set(op.outputs)
        ports = {int(index) for index in Editor(model).graph.outputs}
        assert set(cut.live(place)) <= later | ports


def test_one_operator_alone_takes_its_inputs_and_keeps_its_constants(model):
    cut = CutGraph(model)
    (place,) = [number for number, op in enumerate(cut.ops) if op.name == "FULLY_CONNECTED"]
    data = cut.alone(place, {cut.ops[place].inputs[0]: (1, 8)})
    assert data is not None and len(data) < len(model)
    file = parse_tflite(data)
    assert [op.name for op in file.ops] == ["FULLY_CONNECTED"] and len(file.signatures) == 1
    (given,), (made,) = file.ports()
    found = outputs_of(data, {given["name"]: X}, CURRENT_RUNTIME)[made["name"]]
    whole = outputs_of(cut.until(place, cut.live(place)), {"x": X}, CURRENT_RUNTIME)[made["name"]]
    assert np.array_equal(found, whole)


def test_an_operator_whose_inputs_are_unknown_is_no_graph_alone(model):
    assert CutGraph(model).alone(0, {}) is None


def test_what_no_input_has_a_part_in_is_not_observed(tiny):
    """A float16 file widens the table of its scan first: a runtime may do that before it is called, and keep no tensor of it."""
    run = Run(tiny)
    (variant,) = [v for v in run.variants if (v.graph, v.recipe) == ("retriever", "float16")]
    cut = CutGraph((run.converted / variant.file).read_bytes())
    widened = [op.outputs[0] for op in cut.ops if op.name == "DEQUANTIZE" and op.inputs[0] in cut.constant]
    assert widened and not set(widened) & set(cut.observed())


def test_inputs_without_names_are_refused(model):
    editor = Editor(model)
    editor.model.signatureDefs = []
    for index in editor.graph.inputs:
        editor.tensor(int(index)).name = None
    with raises("MODEL_UNSUPPORTED"):
        CutGraph(editor.pack())


def test_a_signature_of_another_subgraph_is_refused(model):
    editor = Editor(model)
    editor.model.signatureDefs[0].subgraphIndex = 1
    editor.model.subgraphs.append(editor.model.subgraphs[0])
    with raises("MODEL_UNSUPPORTED"):
        CutGraph(editor.pack_as_is())
