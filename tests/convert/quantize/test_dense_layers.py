"""Dense layers whose columns are no whole groups of four: wrong on one runtime where they are left as they are."""

import numpy as np
import pytest
from pocketrec.convert.quantize.quantizer import Quantizer
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.inspection import find_traps
from pocketrec.runtimes.model_file.reader import parse_tflite

from tests.convert.models import converted, outputs_of
from tests.tiny import PACKAGED

COLUMNS = 49


@pytest.fixture(scope="module")
def ragged():
    """A float32 file of one dense layer with 49 columns and its weights float32[49, 64]."""
    from pocketrec.train.tf import tf

    weights = np.random.default_rng(0).normal(size=(COLUMNS, 64)).astype(np.float32)
    return converted(lambda x: {"y": tf.matmul(x, weights)}, tf.TensorSpec([1, COLUMNS], tf.float32, "x")), weights


def queries():
    """No input at all (what an app with nothing declared sends), one, and many."""
    rng = np.random.default_rng(1)
    return np.stack([np.zeros((1, COLUMNS)), np.eye(1, COLUMNS), *rng.normal(size=(50, 1, COLUMNS))]).astype(np.float32)


@pytest.mark.parametrize("recipe", ["dynamic_int8", "static_int8"])
@pytest.mark.parametrize("runtime", PACKAGED)
def test_ragged_layers_answer_rightly_on_every_runtime(ragged, recipe, runtime):
    data, weights = ragged
    feeds = {"x": queries()}
    quantized = Quantizer(data, feeds).quantize(recipe)
    assert "PAD" in [op.name for op in parse_tflite(quantized).ops]
    assert not [trap for trap in find_traps(parse_tflite(quantized)) if trap.trap == "ragged-int8-columns"]
    found, expected = outputs_of(quantized, feeds, runtime)["y"], feeds["x"] @ weights
    assert np.abs(found - expected).max() < 0.03 * np.ptp(expected)
    assert np.abs(found[0]).max() < 0.005 * np.ptp(expected)


def test_ragged_layers_of_others_are_named(ragged):
    """The same weights by the converter's own quantization."""
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(lambda x: {"y": tf.matmul(x, ragged[1])})
    function = module.f.get_concrete_function(tf.TensorSpec([1, COLUMNS], tf.float32, "x"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    traps = [trap for trap in find_traps(parse_tflite(converter.convert())) if trap.trap == "ragged-int8-columns"]
    assert len(traps) == 1 and f"{COLUMNS} columns" in traps[0].where


def test_no_file_of_a_run_has_ragged_layers(tiny):
    for variant in Run(tiny).variants:
        assert "ragged-int8-columns" not in {trap.trap for trap in variant.traps}
