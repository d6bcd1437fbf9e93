"""How rows are stored: codes and scales as promised, and files of odd shapes that answer like the float32 they were made from."""

import numpy as np
import pytest
from pocketrec.convert.converter import convert_function
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.convert.quantize.calibration import instrument, measure
from pocketrec.convert.quantize.quantizer import apply_recipe, prepare
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.convert.quantize.rounding import affine, row_codes
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.model_file.reader import read_tflite

RUNTIMES = ("tflite-runtime-2.14.0", "litert-2.3.0")


@pytest.mark.parametrize("levels", [127, 7])
def test_codes_times_scales_are_within_half_a_step_of_every_element(levels):
    rng = np.random.default_rng(0)
    table = (rng.normal(size=(300, 33)) * rng.uniform(0.05, 2, size=(300, 1))).astype(np.float32)
    codes, scale_codes, step = row_codes(table, levels)
    scales = scale_codes.astype(np.float64) * step
    assert np.abs(codes).max() <= levels and scale_codes.min() >= 1
    assert (np.abs(codes * scales[:, None] - table) <= scales[:, None] * 0.5001).all()
    assert (scales >= np.abs(table).max(axis=1) / levels * 0.9999).all()


def test_rows_of_zeros_and_single_numbers_are_kept():
    codes, scale_codes, step = row_codes(np.zeros((3, 4), np.float32), 127)
    assert not codes.any() and (scale_codes >= 1).all() and step > 0
    codes, scale_codes, step = row_codes(np.array([[0, 0], [2, -2]], np.float32), 7)
    np.testing.assert_allclose(codes[1].astype(float) * scale_codes[1] * step, [2, -2], rtol=1e-6)


def test_rounding_fed_forward_keeps_products_with_representative_queries():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(400, 24)).astype(np.float32)
    queries = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 24))
    hessian = queries.T @ queries / len(queries)

    def error(*arguments):
        codes, scale_codes, step = row_codes(table, 7, *arguments)
        rows = codes * (scale_codes.astype(np.float64) * step)[:, None]
        return np.sqrt(np.mean((queries @ (rows - table).T) ** 2))

    assert error(hessian) < 0.5 * error()


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"), [(0.0, 2.55, 0.01, -128), (-1.0, 1.55, 0.01, -28), (0.0, 0.0, 1.0, -128)]
)
def test_affine_grids_hold_their_range_and_zero(low, high, scale, zero):
    assert affine(low, high) == (pytest.approx(scale), zero)


@pytest.fixture(scope="module")
def odd():
    """A graph that has everything: an odd width, a table looked up and scored, one with a bias and relu, a bias vector."""
    from pocketrec.train.tf import tf

    rng = np.random.default_rng(2)
    numbers = lambda *shape: tf.Variable(rng.normal(size=shape).astype(np.float32))  # noqa: E731
    module = tf.Module()
    module.table, module.vector, module.other, module.bias, module.mix = (
        numbers(700, 33), numbers(1100), numbers(600, 33), numbers(600), numbers(33, 33),
    )  # fmt: skip

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


def answers(data, queries, runtime, folder):
    path = folder / "x.tflite"
    path.write_bytes(data)
    outcome = run_variant(path, queries, runtime=runtime)
    assert outcome, outcome.reason
    return outcome.arrays


@pytest.mark.parametrize("runtime", RUNTIMES)
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
def test_odd_shapes_shared_tables_biases_and_activations_survive_every_recipe(odd, tmp_path, recipe, share, runtime):
    prepared, queries = odd
    expected = answers(prepared, queries, "litert-2.3.0", tmp_path)
    statistics = measure(prepared, queries, answers(instrument(prepared), queries, "litert-2.3.0", tmp_path))
    found = answers(apply_recipe(prepared, RECIPES[recipe], statistics), queries, runtime, tmp_path)
    for name, values in expected.items():
        spread = np.ptp(values)
        assert np.abs(found[name] - values).max() <= share * spread, (name, np.abs(found[name] - values).max() / spread)
    assert (found["shown"] >= 0).all()


def test_a_table_with_another_reader_stays_float_and_is_found(tmp_path):
    from pocketrec.runtimes.inspection import find_traps
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.table = tf.Variable(tf.random.stateless_normal([300, 64], [1, 2]))
    module.kernel = tf.Variable(tf.random.stateless_normal([64, 64], [3, 4]))

    def graph(ids):
        rows = tf.gather(module.table, ids)
        return {"y": tf.matmul(rows, module.kernel), "z": tf.cumsum(module.table * tf.cast(ids[0], tf.float32))}

    prepared = prepare(convert_function(module, tf.function(graph).get_concrete_function(tf.TensorSpec([3], tf.int32))))
    (tmp_path / "x.tflite").write_bytes(apply_recipe(prepared, RECIPES["dynamic_int8"]))
    traps = {trap["trap"]: trap["where"] for trap in find_traps(read_tflite(tmp_path / "x.tflite"))}
    assert "[300, 64], 76800 bytes of float32" in traps["float-table"]


def test_packed_files_are_aligned_and_hold_each_constant_once(run):
    """The schema asks for buffers at multiples of 16; runtimes map the file and read them in place."""
    for path in sorted((run / "converted").glob("*.tflite")):
        data = path.read_bytes()
        contents = [
            np.asarray(b.data, np.uint8).tobytes() for b in Editor(data).model.buffers[1:] if b.data is not None
        ]
        large = [content for content in contents if len(content) >= 1024]
        assert len(set(contents)) == len(contents), path.name
        assert large and all(data.index(content) % 16 == 0 for content in large), path.name


def test_packing_again_changes_nothing(run):
    data = (run / "converted" / "recommender-dynamic_int8.tflite").read_bytes()
    assert Editor(data).pack() == data


def test_least_runtime_is_that_of_the_newest_version():
    from pocketrec.runtimes.model_file.op_versions import least_runtime, since

    assert (
        since("FULLY_CONNECTED", 12) == "2.17.0"
        and since("FULLY_CONNECTED", 99) is None
        and since("NO_SUCH_OP", 1) is None
    )
    assert least_runtime([("GATHER", 1), ("FULLY_CONNECTED", 9), ("ADD", 1)]) == "2.3.0"
    assert least_runtime([("ADD", 1), ("CAST", 6)]) == "2.15.0" and least_runtime([("NO_SUCH_OP", 1)]) is None


def test_shapes_behind_a_string_lookup_are_completed(tutorial_run):
    from pocketrec.convert.converter import convert_saved_model
    from pocketrec.convert.flatbuffer.operators import GraphEditor
    from pocketrec.convert.flatbuffer.shape_inference import complete_shapes, known_shape

    editor = GraphEditor(convert_saved_model(tutorial_run / "trained" / "ranking", signature="serving_default"))
    rows = [int(op.outputs[0]) for op in editor.ops if editor.name_of(op) == "GATHER"]
    assert [known_shape(editor, index) for index in rows] == [None, None]
    complete_shapes(editor)
    assert [known_shape(editor, index) for index in rows] == [[-1, 32], [-1, 32]]


def test_a_weight_a_row_is_multiplied_into_the_scales_before_the_rows(tmp_path):
    from pocketrec.convert.flatbuffer.operators import GraphEditor
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.table = tf.Variable(tf.random.stateless_normal([500, 16], [5, 6]))
    specs = (tf.TensorSpec([None], tf.int32, "ids"), tf.TensorSpec([None], tf.float32, "weight"))
    graph = tf.function(lambda ids, weight: {"rows": tf.gather(module.table, ids) * weight[:, None]})
    prepared = prepare(convert_function(module, graph.get_concrete_function(*specs)))
    data = apply_recipe(prepared, RECIPES["dynamic_int8"])
    editor = GraphEditor(data)
    widths = [int(editor.tensor(int(op.outputs[0])).shape[-1]) for op in editor.ops if editor.name_of(op) == "MUL"]
    assert widths == [1, 16]
    rng = np.random.default_rng(3)
    queries = {
        "ids": rng.integers(0, 500, (20, 7), dtype=np.int32),
        "weight": rng.normal(size=(20, 7)).astype(np.float32),
    }
    expected, *found = (
        answers(file, queries, runtime, tmp_path)["rows"]
        for file, runtime in ((prepared, RUNTIMES[1]), (data, RUNTIMES[0]), (data, RUNTIMES[1]))
    )
    for rows in found:
        assert (
            np.abs(rows - expected).max() <= np.abs(queries["weight"]).max() * np.abs(module.table.numpy()).max() / 200
        )
