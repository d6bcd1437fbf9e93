"""Scales and weights per row are multiplied with each other before the rows."""

import numpy as np
from pocketrec.convert.converter import convert_function
from pocketrec.convert.quantize.preparation import prepare
from pocketrec.convert.quantize.quantizer import apply_recipe
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES

from tests.convert.models import outputs_of


def test_a_weight_per_row_is_multiplied_into_the_scales_before_the_rows():
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
        outputs_of(file, queries, runtime)["rows"]
        for file, runtime in ((prepared, CURRENT_RUNTIME), *((data, runtime) for runtime in PHONE_RUNTIMES))
    )
    for rows in found:
        assert (
            np.abs(rows - expected).max() <= np.abs(queries["weight"]).max() * np.abs(module.table.numpy()).max() / 200
        )
