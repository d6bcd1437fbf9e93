"""LiteRT's CompiledModel beside its Interpreter: the same answers, sizes that change, and what it refuses."""

import json
import subprocess
import sys

import numpy as np
import pytest
from pocketrec.benchmarks.latency.cases import variant_cases
from pocketrec.benchmarks.latency.latency_queries import latency_queries
from pocketrec.benchmarks.latency.options import LatencyOptions
from pocketrec.benchmarks.latency.stage import measure_file
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.records.variants import Port
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import runtimes
from pocketrec.runtimes.launch import WORKER, run_variant, variant_job
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES, CompiledModelRuntime

from tests.conftest import raises
from tests.convert.models import assert_twice, converted, twice_each_dtype
from tests.variants import keep_variants

(COMPILED,) = [name for name, runtime in RUNTIMES.items() if isinstance(runtime, CompiledModelRuntime)]


@pytest.mark.parametrize("graph", ["ranker", "query_encoder", "retriever", "recommender"])
@pytest.mark.parametrize("recipe", ["float32", "dynamic_int8"])
def test_both_interfaces_of_one_package_give_the_same_bytes(tiny, graph, recipe):
    """Rankers are asked with another number of candidates in nearly every query."""
    run = Run(tiny)
    (variant,) = [v for v in run.variants if (v.graph, v.recipe) == (graph, recipe)]
    feeds = HeldOut(run).feeds(port.name for port in variant.inputs)
    found, expected = (run_variant(run.converted / variant.file, feeds, runtime=r) for r in (COMPILED, CURRENT_RUNTIME))
    assert found, found.reason
    assert set(found.arrays) == set(expected.arrays)
    for name, values in expected.arrays.items():
        assert (found.arrays[name].dtype, found.arrays[name].tobytes()) == (values.dtype, values.tobytes()), name


@pytest.fixture(scope="module")
def every_dtype(tmp_path_factory):
    """A file that takes every dtype, and a query for it."""
    model, given = twice_each_dtype()
    path = tmp_path_factory.mktemp("dtypes") / "twice.tflite"
    path.write_bytes(model)
    return path, given


def test_every_value_comes_back_exactly(every_dtype):
    path, given = every_dtype
    found = run_variant(path, given, runtime=COMPILED)
    assert found, found.reason
    assert_twice(found.arrays, given)


def test_feeds_that_do_not_fit_are_a_reason(every_dtype):
    path, given = every_dtype
    for replaced, said in (
        ({"int8": np.zeros((1, 4), np.int8)}, "input int8: expected shape [3], got [4]: New shape is not compatible"),
        ({"int8": np.zeros((1, 3), np.int16)}, "input int8: expected int8, got int16"),
        ({"other": np.zeros((1, 3), np.int8)}, "got ['bool', 'float32', 'int32', 'int64', 'int8', 'other', 'uint8']"),
    ):
        outcome = run_variant(path, given | replaced, runtime=COMPILED)
        assert not outcome and said in outcome.reason, outcome.reason


def test_outputs_whose_size_depends_on_values_are_a_reason(tmp_path):
    from pocketrec.train.tf import tf

    path = tmp_path / "unique.tflite"
    path.write_bytes(converted(lambda x: {"y": tf.unique(x)[0]}, tf.TensorSpec([3], tf.int32, "x")))
    given = {"x": np.array([[1, 1, 2]], np.int32)}
    assert run_variant(path, given, runtime=CURRENT_RUNTIME).arrays["y"].tolist() == [[1, 2]]
    outcome = run_variant(path, given, runtime=COMPILED)
    assert "CompiledModel did not run" in outcome.reason and "output" in outcome.reason


def test_a_damaged_model_is_a_reason_not_a_crash(every_dtype, tmp_path):
    path, given = every_dtype
    (tmp_path / "x.tflite").write_bytes(path.read_bytes()[:200])
    outcome = run_variant(tmp_path / "x.tflite", given, runtime=COMPILED)
    assert not outcome and "CompiledModel did not compile the file" in outcome.reason


def test_text_is_skipped():
    assert RUNTIMES[COMPILED].refuses([Port("ids", [1], "int32")]) == ""
    assert "hold no text (input title)" in RUNTIMES[COMPILED].refuses([Port("title", [1], "string")])


def test_the_worker_imports_numpy_and_litert_only(every_dtype, tmp_path):
    path, given = every_dtype
    np.savez(tmp_path / "in.npz", **given)
    files = {"inputs": str(tmp_path / "in.npz"), "outputs": str(tmp_path / "out.npz")}
    (tmp_path / "spec.json").write_text(json.dumps({**variant_job(path, given, runtime=COMPILED).spec, **files}))
    program = (
        "import sys, runpy; sys.argv = ['worker.py', sys.argv[1]]\n"
        f"runpy.run_path({str(WORKER.with_name('compiled_model_worker.py'))!r}, run_name='__main__')\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'tensorflow', 'tflite_runtime', 'pocketrec', 'scipy', 'rich'}, loaded"
    )
    command = [sys.executable, "-P", "-c", program, str(tmp_path / "spec.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_latency_tells_load_first_call_and_percentiles_beside_the_interpreters(tiny):
    options = LatencyOptions(threads=[1, 2], runtimes=[CURRENT_RUNTIME, COMPILED], processes=2, samples=50)
    rows = measure_file(tiny / "converted" / "ranker-float32.tflite", options).results
    assert [(row.runtime, row.threads) for row in rows] == [(r, t) for r in (CURRENT_RUNTIME, COMPILED) for t in (1, 2)]
    for row in rows:
        assert row.status == "measured" and row.load_ms > 0 and row.first_call_ms > 0
        assert row.p50_us > 0 and row.overhead_us > 0


def test_cases_of_a_run_leave_the_kernels_alone(tiny):
    """Apps choose none there, so there is no case without XNNPACK."""
    run = Run(tiny)
    cases = variant_cases(run, run.variants[:1], [CURRENT_RUNTIME, COMPILED], [1], latency_queries(HeldOut(run)))
    assert {case.fields.delegate for case in cases if case.fields.runtime == COMPILED} == {"xnnpack"}
    assert {case.fields.delegate for case in cases if case.fields.runtime == CURRENT_RUNTIME} == {"xnnpack", "none"}


def test_an_older_wheel_is_skipped_with_the_command_and_refused_when_asked_for(own_tiny, monkeypatch):
    run = Run(own_tiny)
    keep_variants(run, lambda variant: (variant.graph, variant.recipe) == ("ranker", "float32"))
    real = runtimes.metadata.version
    monkeypatch.setattr(runtimes.metadata, "version", lambda name: "1.2.0" if name == "ai-edge-litert" else real(name))
    rows = [row for row in check_parity(run).results if row.runtime == COMPILED]
    assert [row.status for row in rows] == ["skipped"]
    assert "ai-edge-litert 2.3.0 is needed (1.2.0); pip install ai-edge-litert==2.3.0" in rows[0].reason
    with raises("NOT_INSTALLED"):
        check_parity(run, runtimes=[COMPILED])
