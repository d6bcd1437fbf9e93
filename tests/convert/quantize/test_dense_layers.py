"""Dense layers whose columns are no whole groups of four: wrong on one runtime where they are left as they are."""

import numpy as np
import pytest
from pocketrec.convert.converter import convert_function
from pocketrec.convert.quantize.calibration import instrument, measure
from pocketrec.convert.quantize.quantizer import apply_recipe, prepare
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.inspection import inspect_file
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.model_file.reader import read_tflite

COLUMNS = 49


@pytest.fixture(scope="module")
def ragged():
    """A float32 file of one dense layer with 49 columns and its weights float32[49, 64]."""
    from pocketrec.train.tf import tf

    weights = np.random.default_rng(0).normal(size=(COLUMNS, 64)).astype(np.float32)
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": tf.matmul(x, weights)})
    spec = tf.TensorSpec([1, COLUMNS], tf.float32, "x")
    return convert_function(module, module.f.get_concrete_function(spec)), weights


def queries():
    """No input at all (what an app with nothing declared sends), one, and many."""
    rng = np.random.default_rng(1)
    return np.stack([np.zeros((1, COLUMNS)), np.eye(1, COLUMNS), *rng.normal(size=(50, 1, COLUMNS))]).astype(np.float32)


@pytest.mark.parametrize("recipe", ["dynamic_int8", "static_int8"])
@pytest.mark.parametrize("runtime", ["tflite-runtime-2.14.0", "litert-2.3.0", "tf-2.18.1"])
def test_ragged_layers_answer_rightly_on_every_runtime(ragged, tmp_path, recipe, runtime):
    data, weights = ragged
    prepared, feeds = prepare(data), {"x": queries()}
    path = tmp_path / "x.tflite"
    path.write_bytes(instrument(prepared))
    statistics = measure(prepared, feeds, run_variant(path, feeds, runtime="litert-2.3.0").arrays)
    path.write_bytes(apply_recipe(prepared, RECIPES[recipe], statistics))
    assert "PAD" in [op.name for op in read_tflite(path).ops]
    assert not [trap for trap in inspect_file(path)["traps"] if trap["trap"] == "ragged-int8-columns"]
    outcome = run_variant(path, feeds, runtime=runtime)
    expected = feeds["x"] @ weights
    assert np.abs(outcome.arrays["y"] - expected).max() < 0.03 * np.ptp(expected), outcome.reason
    assert np.abs(outcome.arrays["y"][0]).max() < 0.005 * np.ptp(expected)


def test_ragged_layers_of_others_are_named(ragged, tmp_path):
    """The same weights by the converter's own quantization."""
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(lambda x: {"y": tf.matmul(x, ragged[1])})
    function = module.f.get_concrete_function(tf.TensorSpec([1, COLUMNS], tf.float32, "x"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    (tmp_path / "x.tflite").write_bytes(converter.convert())
    traps = [trap for trap in inspect_file(tmp_path / "x.tflite")["traps"] if trap["trap"] == "ragged-int8-columns"]
    assert len(traps) == 1 and "49 columns" in traps[0]["where"]


def test_no_file_of_ours_has_ragged_layers(run, tutorial_run):
    for folder in (run, tutorial_run):
        for variant in Run(folder).variants_json["variants"]:
            assert "ragged-int8-columns" not in {trap["trap"] for trap in variant["traps"]}
