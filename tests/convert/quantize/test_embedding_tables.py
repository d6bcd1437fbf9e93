"""How rows are stored: files of odd shapes answer like the float32 they were made from."""

import numpy as np
import pytest
from pocketrec.convert.converter import convert_function
from pocketrec.convert.quantize.preparation import prepare
from pocketrec.convert.quantize.quantizer import Quantizer, apply_recipe, quantize
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.runtimes.model_file.reader import parse_tflite
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES

from tests.convert.models import converted, outputs_of
from tests.tiny import PACKAGED


@pytest.fixture(scope="module")
def odd():
    """A graph that has everything: an odd width, a table looked up and scored, one with a bias and relu, a bias vector."""
    from pocketrec.train.tf import tf

    rng = np.random.default_rng(2)
    numbers = lambda *shape: tf.Variable(rng.normal(size=shape).astype(np.float32))  # noqa: E731
    module = tf.Module()
    module.table, module.vector = numbers(700, 33), numbers(1100)
    module.other, module.bias, module.mix = numbers(600, 33), numbers(600), numbers(33, 33)

    def graph(ids, x):
        rows = tf.reduce_mean(tf.gather(module.table, ids), axis=0, keepdims=True)
        query = tf.tanh(tf.matmul(rows + x, module.mix))
        scored = tf.matmul(query, module.table, transpose_b=True)
        shown = tf.nn.relu(tf.matmul(query, module.other, transpose_b=True) + module.bias)
        return {"scored": scored, "shown": shown, "vector": tf.gather(module.vector, ids)}

    specs = (tf.TensorSpec([None], tf.int32, "ids"), tf.TensorSpec([1, 33], tf.float32, "x"))
    prepared = prepare(convert_function(module, tf.function(graph).get_concrete_function(*specs)))
    queries = {
        "ids": rng.integers(0, 700, (60, 9), dtype=np.int32),
        "x": rng.normal(size=(60, 1, 33)).astype(np.float32),
    }
    return prepared, queries


@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
@pytest.mark.parametrize(
    ("recipe", "share"),
    [
        ("float32", 1e-6),
        ("float16", 2e-3),
        ("dynamic_int8", 0.03),
        ("static_int8", 0.05),
        ("int16x8", 0.03),
        ("int4_rows", 0.4),
    ],
)
def test_odd_shapes_shared_tables_biases_and_activations_survive_every_recipe(odd, recipe, share, runtime):
    prepared, queries = odd
    expected = outputs_of(prepared, queries, CURRENT_RUNTIME)
    found = outputs_of(Quantizer(prepared, queries).quantize(recipe), queries, runtime)
    for name, values in expected.items():
        spread = np.ptp(values)
        assert np.abs(found[name] - values).max() <= share * spread, (name, np.abs(found[name] - values).max() / spread)
    assert (found["shown"] >= 0).all()


def test_a_table_with_another_reader_stays_float_and_is_found():
    from pocketrec.runtimes.inspection import find_traps
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.table = tf.Variable(tf.random.stateless_normal([300, 64], [1, 2]))
    module.kernel = tf.Variable(tf.random.stateless_normal([64, 64], [3, 4]))

    def graph(ids):
        rows = tf.gather(module.table, ids)
        return {"y": tf.matmul(rows, module.kernel), "z": tf.cumsum(module.table * tf.cast(ids[0], tf.float32))}

    prepared = prepare(convert_function(module, tf.function(graph).get_concrete_function(tf.TensorSpec([3], tf.int32))))
    file = parse_tflite(apply_recipe(prepared, RECIPES["dynamic_int8"]))
    traps = {trap.trap: trap.where for trap in find_traps(file)}
    assert "[300, 64], 76800 bytes of float32" in traps["float-table"]


@pytest.mark.parametrize("runtime", PACKAGED)
@pytest.mark.parametrize("width", [8, 6, 5])
def test_float16_rows_are_exactly_the_rounded_ones_whatever_their_width(runtime, width):
    """Rows are stored in groups of four numbers: the last may be padded, for lookups and for the scan of the same table."""
    from pocketrec.train.tf import tf

    table = np.random.default_rng(0).normal(size=(600, width)).astype(np.float32)

    def model(ids, query):
        rows = tf.gather(tf.constant(table), ids)
        return {"rows": rows, "scores": tf.matmul(query, tf.constant(table), transpose_b=True)}

    specs = tf.TensorSpec([3], tf.int32, "ids"), tf.TensorSpec([1, width], tf.float32, "query")
    data = quantize(converted(model, *specs), "float16")
    query = np.random.default_rng(1).normal(size=(2, 1, width)).astype(np.float32)
    feeds = {"ids": np.array([[0, 599, 7], [7, 3, 1]], np.int32), "query": query}
    found, rounded = outputs_of(data, feeds, runtime), table.astype(np.float16).astype(np.float32)
    assert np.array_equal(found["rows"], rounded[feeds["ids"]])
    assert np.abs(found["scores"] - query @ rounded.T).max() < 1e-5
    assert len(data) < 0.5 * table.nbytes * -(-width // 4) * 4 / width + 4000
