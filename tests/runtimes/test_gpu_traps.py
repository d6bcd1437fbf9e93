"""Traps of the GPU accelerator: each on the smallest graph that it really fails on, and on one that it does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import swiftshader
from pocketrec.runtimes.gpu_traps import gpu_refusal, gpu_traps
from pocketrec.runtimes.inspection import find_traps, inspect_model
from pocketrec.runtimes.launch import run_variant, variant_job
from pocketrec.runtimes.model_file.reader import parse_tflite
from pocketrec.runtimes.probing import on_disk
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES
from pocketrec.runtimes.targets import TARGETS

from tests.convert.models import converted
from tests.runtimes.gpu_graphs import dequantized, table_of

(GPU,) = [name for name, target in TARGETS.items() if target.platform == "gpu"]
(RUNTIME,) = [name for name, runtime in RUNTIMES.items() if runtime.runs_on(GPU)]
needs_gpu = pytest.mark.skipif(bool(swiftshader.missing()), reason=swiftshader.missing())
IDS = {"ids": np.array([[0, 3, 7, 19]], np.int32)}


def names(data):
    return {trap.trap for trap in gpu_traps(parse_tflite(data))}


def on_both(data, feeds):
    """What the processor and the accelerator make of a file."""
    with on_disk(data) as path:
        return run_variant(path, feeds, runtime=CURRENT_RUNTIME), run_variant(path, feeds, runtime=RUNTIME, target=GPU)


@pytest.mark.parametrize(
    "data", [table_of("int16"), table_of("uint8"), table_of("int8")], ids=["int16", "uint8", "int8"]
)
@needs_gpu
def test_a_table_that_ends_the_process(data):
    assert names(data) == {"gpu-unreadable-table"} and "gpu-unreadable-table" in gpu_refusal(parse_tflite(data))
    right, died = on_both(data, IDS)
    assert right and died.reason.startswith("signal ")


@pytest.mark.parametrize(
    "data", [table_of("int32"), table_of("int8", 0.5), table_of("int64")], ids=["int32", "int8", "int64"]
)
@needs_gpu
def test_a_table_that_is_read(data):
    assert names(data) == set() and gpu_refusal(parse_tflite(data)) == ""
    right, found = on_both(data, IDS)
    assert np.array_equal(right.arrays["y"], found.arrays["y"]), found.reason


@needs_gpu
def test_a_constant_matrix_that_is_dequantized_does_not_compile():
    data, feeds = dequantized([8, 4]), {"x": np.ones((1, 8, 4), np.float32)}
    assert names(data) == {"gpu-constant-dequantize"}
    right, failed = on_both(data, feeds)
    assert right and "Shape mismatch" in failed.reason
    data, feeds = dequantized([1, 8, 4]), {"x": np.ones((1, 1, 8, 4), np.float32)}
    assert names(data) == set()
    right, found = on_both(data, feeds)
    assert np.array_equal(right.arrays["y"], found.arrays["y"]), found.reason


OPERATORS = ("add", "subtract", "multiply", "divide", "maximum", "minimum")


@pytest.mark.full
@pytest.mark.parametrize("name", [*OPERATORS, "squared_difference", "pow", "greater"])
@needs_gpu
def test_a_constant_column_of_which_one_row_is_used(name):
    from pocketrec.train.tf import tf

    column = tf.constant(np.linspace(1, 9, 8)[:, None], tf.float32)
    function = getattr(tf, name, None) or getattr(tf.math, name)
    data = converted(lambda x: {"y": tf.cast(function(x, column), tf.float32)}, tf.TensorSpec([8, 4], tf.float32, "x"))
    assert names(data) == {"gpu-constant-broadcast"}
    right, wrong = on_both(data, {"x": np.random.default_rng(1).uniform(1, 9, (2, 8, 4)).astype(np.float32)})
    assert np.abs(right.arrays["y"] - wrong.arrays["y"]).max() > 0.5


@pytest.mark.full
@needs_gpu
def test_an_input_that_grows_beyond_the_first_call():
    """GATHER_ND stays on the CPU. The kit's worker calls the largest size first; an app must, too."""
    from pocketrec.train.tf import tf

    table = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    data = converted(
        lambda items: {"y": tf.reduce_sum(tf.gather_nd(table, items[:, None]) * tf.gather(table, items), -1)},
        tf.TensorSpec([None], tf.int32, "items"),
    )
    assert "gpu-free-dimension" in names(data) and gpu_refusal(parse_tflite(data)) == ""
    feeds = {"items": np.arange(40, dtype=np.int32), "items.offsets": np.array([0, 5, 40])}
    right, reserved = on_both(data, feeds)
    assert np.abs(right.arrays["y"] - reserved.arrays["y"]).max() < 1e-4
    with on_disk(data) as path:
        job = replace(
            variant_job(path, feeds, runtime=RUNTIME), program=str(Path(__file__).with_name("growing_worker.py"))
        )
        grown = job.run(target=GPU, accelerator=TARGETS[GPU].accelerator)
    assert not grown or not np.abs(right.arrays["y"][5:] - grown.arrays["y"][5:]).max() < 0.1


def test_inspect_names_them_and_the_files_of_a_run_have_none_that_is_wrong(tiny):
    found = {trap.trap for trap in inspect_model(table_of("int16")).traps}
    assert "gpu-unreadable-table" in found
    run = Run(tiny)
    for variant in run.variants:
        data = (run.converted / variant.file).read_bytes()
        free = any(-1 in port.shape for port in variant.inputs)
        assert names(data) == ({"gpu-free-dimension"} if free else set()), variant.file
        assert not {trap.trap for trap in find_traps(parse_tflite(data))} & names(data)
