"""What LiteRT's GPU accelerator says it takes of a file: `inspect --gpu`."""

import json

import pytest
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import swiftshader
from pocketrec.runtimes.inspection import inspect_model
from pocketrec.runtimes.probing import gpu_plan
from pocketrec.runtimes.targets import TARGETS

import pocketrec as pr
from tests.conftest import raises, refused
from tests.convert.models import converted
from tests.runtimes.gpu_graphs import dequantized, table_of

(GPU,) = [name for name, target in TARGETS.items() if target.platform == "gpu"]
needs_gpu = pytest.mark.skipif(bool(swiftshader.missing()), reason=swiftshader.missing())


def file_of(folder, graph, recipe):
    return next(folder / "converted" / v.file for v in Run(folder).variants if (v.graph, v.recipe) == (graph, recipe))


@needs_gpu
def test_a_file_that_is_taken_whole(tiny):
    found = pr.inspect(file_of(tiny, "query_encoder", "float32"), gpu=True)
    assert found.gpu is not None and found.gpu.target == GPU
    assert (found.gpu.n_taken, found.gpu.n_left, found.gpu.reason) == (found.gpu.n_ops, 0, "")
    assert found.gpu.n_ops == found.xnnpack.n_ops and not found.gpu.refusals


@needs_gpu
def test_a_file_that_is_partly_left_to_the_cpu_is_told_with_names_and_reasons(tiny, inside):
    path = file_of(tiny, "retriever", "float32")
    plan = json.loads(inside("inspect", path, "--gpu", "--json").out)["gpu"]
    assert plan["n_left"] > 0 and plan["n_taken"] + plan["n_left"] == plan["n_ops"]
    told = {refusal["operator"]: refusal["reason"] for refusal in plan["refusals"]}
    assert told["CAST"].startswith("Expected 1 runtime input")
    shown = inside("inspect", path, "--gpu").out
    assert f"takes {plan['n_taken']} of {plan['n_ops']} operators" in shown and "Expected 1 runtime input" in shown


@needs_gpu
def test_a_file_of_which_nothing_is_taken():
    from pocketrec.train.tf import tf

    data = converted(lambda x: {"y": tf.gather_nd(x, [[1], [2]])}, tf.TensorSpec([4, 8], tf.float32, "x"))
    plan = gpu_plan(data)
    assert (plan.n_taken, plan.n_left) == (0, plan.n_ops) and plan.refusals[0].operator == "GATHER_ND"


@needs_gpu
def test_a_file_of_two_graphs_is_counted_together(tmp_path):
    """The accelerator says nothing of a graph that it takes whole."""
    from pocketrec.train.tf import tf

    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([4, 8], tf.float32, "x")])
        def whole(self, x):
            return {"y": tf.nn.relu(x + 1.0) * x}

        @tf.function(input_signature=[tf.TensorSpec([4, 8], tf.float32, "x")])
        def part(self, x):
            return {"y": tf.gather_nd(tf.exp(x), [[1], [2]])}

    two = Two()
    tf.saved_model.save(two, str(tmp_path), signatures={"whole": two.whole, "part": two.part})
    plan = gpu_plan(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert())
    assert plan.n_left == 1 and plan.n_taken == plan.n_ops - 1 >= 3


@needs_gpu
@pytest.mark.parametrize(
    ("data", "said"),
    [(table_of("int16"), "signal 6: "), (dequantized([8, 4]), "Shape mismatch")],
    ids=["aborts", "does not compile"],
)
def test_a_file_that_ends_the_accelerator_is_a_finding(data, said, tmp_path, inside):
    (tmp_path / "x.tflite").write_bytes(data)
    done = inside("inspect", tmp_path / "x.tflite", "--gpu", "--json")
    assert done.code == 0 and said in json.loads(done.out)["gpu"]["reason"]
    assert inside("inspect", tmp_path / "x.tflite", "--gpu", "--fail-on", "trap").code == 0
    assert inside("inspect", tmp_path / "x.tflite", "--gpu", "--fail-on", "gpu-trap").code == 1


@needs_gpu
def test_a_file_that_does_not_compile_fails_the_check_without_a_known_trap(tmp_path, inside):
    """A tensor without a fixed size in the middle. No pattern of the kit's knows that; the accelerator says it."""
    from pocketrec.train.tf import tf

    data = converted(lambda x: {"y": tf.reduce_sum(tf.boolean_mask(x, x > 0))}, tf.TensorSpec([8], tf.float32, "x"))
    (tmp_path / "x.tflite").write_bytes(data)
    done = inside("inspect", tmp_path / "x.tflite", "--gpu", "--json", "--fail-on", "gpu-trap")
    assert done.code == 1 and "dynamic-sized tensors" in json.loads(done.out)["gpu"]["reason"]
    assert inside("inspect", tmp_path / "x.tflite", "--fail-on", "gpu-trap").code == 0


@needs_gpu
def test_a_file_without_signatures(tmp_path):
    from pocketrec.convert.flatbuffer.editor import Editor

    editor = Editor(table_of("int32"))
    editor.model.signatureDefs = []
    found = inspect_model(editor.pack_as_is(), gpu=True)
    assert not found.signatures and found.gpu is not None
    assert (found.gpu.n_left, found.gpu.reason) == (0, "")


@needs_gpu
def test_a_compilation_that_takes_too_long_is_ended(tiny):
    found = inspect_model(file_of(tiny, "retriever", "float32"), gpu=True, gpu_timeout_s=0.4)
    assert found.gpu is not None and found.gpu.reason == "no answer within 0.4 s" and found.gpu.n_left is None


def test_it_is_asked_only_on_request(tiny):
    assert inspect_model(file_of(tiny, "query_encoder", "float32")).gpu is None


def test_without_a_driver_it_is_one_line_with_the_command(tiny, inside, monkeypatch, tmp_path):
    monkeypatch.setattr(swiftshader, "folder", lambda: tmp_path / "nothing")
    line = refused(inside("inspect", file_of(tiny, "query_encoder", "float32"), "--gpu"))
    assert "pocketrec doctor --install gpu" in line and line.endswith("[NOT_INSTALLED]")


def test_without_the_wheel_it_is_one_line_with_the_command(tiny, monkeypatch):
    from importlib import metadata

    def none(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)
    with raises("NOT_INSTALLED") as caught:
        gpu_plan(file_of(tiny, "query_encoder", "float32").read_bytes())
    assert "pip install" in str(caught.value)
