"""Bytes to bytes under every recipe: what is stored, and what is refused."""

import numpy as np
import pytest
from pocketrec.convert.quantize.quantizer import left_in_float32, quantize
from pocketrec.convert.quantize.recipes import RECIPES, Recipe
from pocketrec.core.errors import CheckFailed
from pocketrec.runtimes.model_file.reader import parse_tflite
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME

from tests.conftest import raises
from tests.convert.models import converted, outputs_of

ITEMS, WIDTH = 600, 32


@pytest.fixture(scope="module")
def model():
    """A table that is looked up and scanned, and a dense layer between."""
    from pocketrec.train.tf import tf

    rng = np.random.default_rng(3)
    table, mix = (rng.normal(size=shape).astype(np.float32) for shape in ((ITEMS, WIDTH), (WIDTH, WIDTH)))

    def graph(ids):
        query = tf.tanh(tf.matmul(tf.reduce_mean(tf.gather(table, ids), axis=0, keepdims=True), mix))
        return {"scores": tf.matmul(query, table, transpose_b=True)}

    return converted(graph, tf.TensorSpec([5], tf.int32, "ids"))


@pytest.fixture(scope="module")
def calibration():
    return {"ids": np.random.default_rng(4).integers(0, ITEMS, (40, 5), dtype=np.int32)}


def stored(data):
    """Bytes of constants by dtype and shape."""
    return {(tensor.dtype, tensor.shape) for tensor in parse_tflite(data).tables(WIDTH * WIDTH)}


TOYS = {
    ("float32", "int8"): {("float32", (ITEMS, WIDTH)), ("int8", (WIDTH, WIDTH))},
    ("float32", "float16"): {("float32", (ITEMS, WIDTH)), ("float16", (WIDTH, WIDTH))},
    ("float16", "int8"): {("int64", (ITEMS, WIDTH // 4)), ("int8", (WIDTH, WIDTH))},
    ("int8", "float16"): {("int8", (ITEMS, WIDTH)), ("float16", (WIDTH, WIDTH))},
    ("int8", "float32"): {("int8", (ITEMS, WIDTH)), ("float32", (WIDTH, WIDTH))},
}


@pytest.mark.parametrize(("tables", "dense"), TOYS)
def test_a_new_recipe_stores_tables_and_layers_as_its_fields_say(model, calibration, monkeypatch, tables, dense):
    """A recipe of float32 tables and int8 layers was once returned unquantized, without an error."""
    monkeypatch.setitem(RECIPES, "toy", Recipe("a toy", tables, dense))
    data = quantize(model, "toy", calibration=calibration)
    assert stored(data) >= TOYS[tables, dense] and data != quantize(model, "float32")
    assert not left_in_float32(parse_tflite(data), RECIPES["toy"]) or (tables, dense) == ("int8", "float32")
    expected = outputs_of(model, calibration, CURRENT_RUNTIME)["scores"]
    found = outputs_of(data, calibration, CURRENT_RUNTIME)["scores"]
    assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.is_quantized])
def test_a_file_that_was_not_quantized_is_found_out(model, recipe):
    """Even where nothing in the file is narrow: the recipe says what should be."""
    assert [tensor.shape for tensor in left_in_float32(parse_tflite(model), RECIPES[recipe])] == [
        (ITEMS, WIDTH),
        (WIDTH, WIDTH),
    ]


def test_dense_layers_left_in_float32_are_found_where_tables_may_be(model):
    recipe = Recipe("a toy", "float32", "int8")
    assert [tensor.shape for tensor in left_in_float32(parse_tflite(model), recipe)] == [(WIDTH, WIDTH)]
    assert left_in_float32(parse_tflite(model), RECIPES["float32"]) == []


def test_the_same_arguments_give_the_same_bytes(model, calibration):
    data = quantize(model, "static_int8", calibration=calibration)
    assert data == quantize(model, "static_int8", calibration=calibration) and len(data) < 0.4 * len(model)


def test_calibration_reaches_the_rounding_of_scanned_tables(model, calibration):
    """That it makes scans better is asserted of the rounding itself."""
    assert quantize(model, "int4_rows", calibration=calibration) != quantize(model, "int4_rows")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"recipe": "int3"}, "NAME_UNKNOWN"),
        ({"recipe": "static_int8"}, "OPTION_MISSING"),
        ({"recipe": "static_int8", "calibration": {"id": np.zeros((3, 5), np.int32)}}, "INPUT_MISMATCH"),
        ({"recipe": "static_int8", "calibration": {"ids": np.zeros((3, 5), np.int64)}}, "INPUT_MISMATCH"),
        ({"recipe": "static_int8", "calibration": {"ids": np.zeros((3, 6), np.int32)}}, "INPUT_MISMATCH"),
        ({"recipe": "static_int8", "calibration": {"ids": np.zeros((0, 5), np.int32)}}, "INPUT_MISMATCH"),
        ({"recipe": "static_int8", "calibration": {}}, "INPUT_MISMATCH"),
        ({"model": b"", "recipe": "dynamic_int8"}, "MODEL_INVALID"),
        ({"model": b"a text, not a model", "recipe": "float32"}, "MODEL_INVALID"),
    ],
)
def test_what_cannot_be_quantized_is_refused(model, arguments, code):
    with raises(code):
        quantize(**{"model": model, **arguments})


def test_calibration_on_which_the_model_fails_is_a_failed_check(model):
    with pytest.raises(CheckFailed) as caught:
        quantize(model, "static_int8", calibration={"ids": np.full((3, 5), ITEMS + 7, np.int32)})
    assert caught.value.code == "RUNTIME_FAILED"


@pytest.mark.parametrize("fields", [("int3", "int8", ""), ("int8", "int4", ""), ("int8", "float32", "int8")])
def test_a_recipe_that_says_nothing_possible_is_refused(fields):
    with pytest.raises(ValueError):
        Recipe("a toy", *fields)
