"""A batch axis for dense layers of one axis: other shapes, the same bytes of answers."""

import numpy as np
import pytest
from pocketrec.convert.converter import convert_function
from pocketrec.convert.flatbuffer.batch_axes import add_batch_axes
from pocketrec.convert.flatbuffer.operators import GraphEditor
from pocketrec.runtimes.model_file.reader import parse_tflite

from tests.convert.models import converted, outputs_of
from tests.tiny import PACKAGED


@pytest.fixture(scope="module")
def layers():
    """Two layers of one input of one axis, and one of two axes."""
    from pocketrec.train.tf import tf

    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=shape).astype(np.float32) for shape in ((8, 4), (8, 6), (8, 5)))

    def vector(x, weights):
        return tf.reshape(tf.matmul(tf.reshape(x, [1, -1]), weights), [-1])

    def function(x, rows):
        return {"a": vector(x, a), "b": vector(x, b), "c": tf.matmul(rows, c)}

    return converted(function, tf.TensorSpec([8], tf.float32, "x"), tf.TensorSpec([3, 8], tf.float32, "rows"))


def dense_shapes(data):
    file = parse_tflite(data)
    return [file.tensors[op.inputs[0]].shape for op in file.ops if op.name == "FULLY_CONNECTED"]


def with_batch_axes(data):
    editor = GraphEditor(data)
    add_batch_axes(editor)
    return editor.pack()


@pytest.mark.parametrize("runtime", PACKAGED)
def test_the_answers_stay_the_same_bytes(layers, runtime):
    rng = np.random.default_rng(1)
    feeds = {"x": rng.normal(size=(5, 8)).astype(np.float32), "rows": rng.normal(size=(5, 3, 8)).astype(np.float32)}
    before, after = outputs_of(layers, feeds, runtime), outputs_of(with_batch_axes(layers), feeds, runtime)
    for name, values in before.items():
        assert after[name].shape == values.shape and np.array_equal(after[name], values), name


def test_every_layer_has_rows_and_layers_of_one_input_share_them(layers):
    made = with_batch_axes(layers)
    assert sorted(dense_shapes(layers)) == [(3, 8), (8,), (8,)] and sorted(dense_shapes(made)) == [
        (1, 8),
        (1, 8),
        (3, 8),
    ]
    reshapes = [sum(op.name == "RESHAPE" for op in parse_tflite(data).ops) for data in (layers, made)]
    assert reshapes[1] - reshapes[0] == 3  # one before both, one after each
    assert with_batch_axes(made) == made


def test_a_layer_costs_at_most_200_bytes(layers):
    plain = GraphEditor(layers).pack()
    assert 0 < len(with_batch_axes(layers)) - len(plain) <= 2 * 200


def test_operators_without_inputs_are_left_alone():
    """Tables of a lookup, which have outputs only."""
    from pocketrec.train.tf import tf

    module = tf.Module()
    keys = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.range(2, dtype=tf.int64))
    module.table, weights = tf.lookup.StaticHashTable(keys, -1), tf.constant(np.ones((4, 2), np.float32))

    def function(text, x):
        return {"id": module.table.lookup(text), "y": tf.matmul(x, weights)}

    module.f = tf.function(function)
    specs = tf.TensorSpec([1], tf.string, "text"), tf.TensorSpec([3, 4], tf.float32, "x")
    data = convert_function(module, module.f.get_concrete_function(*specs))
    assert any(not len(op.inputs) for op in parse_tflite(data).ops)
    assert dense_shapes(with_batch_axes(data)) == [(3, 4)]
