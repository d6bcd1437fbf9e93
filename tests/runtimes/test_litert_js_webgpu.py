"""Variants on WebGPU in headless Chromium, with LiteRT.js: what it answers, leaves to the CPU, and dies of."""

import contextlib
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pocketrec.benchmarks.parity.judging import judge
from pocketrec.benchmarks.parity.judging.gates import read_gates
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.core.files.hashing import sha256_bytes
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.model_inputs import FEEDS
from pocketrec.core.records.variants import Port
from pocketrec.core.run_dir import Run
from pocketrec.runtimes import litert_js, swiftshader
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.probing import on_disk
from pocketrec.runtimes.runtimes import RUNTIMES, chosen_runtimes
from pocketrec.runtimes.targets import TARGETS

from tests.conftest import refused
from tests.convert.models import assert_twice, converted, twice_each_dtype
from tests.runtimes.gpu_graphs import CODES, dequantized, table_of
from tests.variants import change_variants, keep_variants

(WEBGPU,) = [name for name, target in TARGETS.items() if target.in_browser and target.accelerator]
(RUNTIME,) = [name for name, runtime in RUNTIMES.items() if runtime.runs_on(WEBGPU)]
WHERE = {"runtime": RUNTIME, "target": WEBGPU}
_MISSING = TARGETS[WEBGPU].missing()
needs_webgpu = pytest.mark.skipif(bool(_MISSING), reason=_MISSING)


def keep(folder, graph, recipe):
    """Leave one variant in a run that a test owns."""
    keep_variants(Run(folder), lambda variant: (variant.graph, variant.recipe) == (graph, recipe))
    return Run(folder)


def answered(data, feeds):
    """What the page makes of a file."""
    with on_disk(data) as path:
        return run_variant(path, feeds, **WHERE)


@needs_webgpu
def test_what_it_computes_is_right_and_all_of_it_on_the_gpu():
    """Inputs and outputs lie in the GPU's memory; the second output's size is no multiple of its words."""
    from pocketrec.train.tf import tf

    rng = np.random.default_rng(0)
    table, weights = (rng.normal(size=shape).astype(np.float32) for shape in ((20, 8), (8, 12)))

    def model(ids):
        rows = tf.gather(tf.constant(table), ids)
        return {"rows": rows, "dense": tf.matmul(rows, tf.constant(weights))}

    ids = np.array([[0, 19, 3, 3], [7, 1, 2, 5]], np.int32)
    outcome = answered(converted(model, tf.TensorSpec([4], tf.int32, "ids")), {"ids": ids})
    assert outcome, outcome.reason
    assert outcome.meta["fully_accelerated"] and "Created LiteRT GpuEnvironment" in outcome.log
    assert np.array_equal(outcome.arrays["rows"], table[ids])
    assert np.abs(outcome.arrays["dense"] - table[ids] @ weights).max() < 1e-4


@needs_webgpu
def test_every_value_comes_back_exactly():
    model, given = twice_each_dtype()
    outcome = answered(model, given)
    assert outcome, outcome.reason
    assert_twice(outcome.arrays, given)


@needs_webgpu
def test_a_row_says_what_was_left_to_the_cpu(own_tiny):
    (row,) = check_parity(keep(own_tiny, "retriever", "float32"), targets=[WEBGPU]).results
    assert (row.runtime, row.target, row.status) == (RUNTIME, WEBGPU, "pass"), row.reason
    assert row.n_queries == TARGETS[WEBGPU].most_asked and row.edges
    assert row.acceleration is not None and row.acceleration.operators and row.acceleration.left
    assert any(reason.startswith("CAST: Expected 1 runtime input") for reason in row.acceleration.reasons)


@needs_webgpu
@pytest.mark.parametrize(
    ("data", "feeds", "said"),
    [
        (table_of("int16"), {"ids": np.zeros((1, 4), np.int32)}, "object_reader.cc"),
        (dequantized([8, 4]), {"x": np.ones((1, 8, 4), np.float32)}, "INVALID_ARGUMENT: Shape mismatch"),
    ],
    ids=["aborts", "does not compile"],
)
def test_what_ends_it_is_a_reason_in_its_own_words(data, feeds, said):
    outcome = answered(data, feeds)
    assert outcome.reason.startswith("exit status 1: ") and said in outcome.reason


@needs_webgpu
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_table_of_bytes_without_a_scale_comes_out_as_zeros(dtype):
    """The wheel's accelerator ends the process: test_gpu_traps.py. Both are refused by the same name."""
    outcome = answered(table_of(dtype), {"ids": np.array([[0, 3, 7, 19]], np.int32)})
    assert outcome and CODES[[0, 3, 7, 19]].any() and not outcome.arrays["y"].any()


@needs_webgpu
def test_a_file_that_ends_it_is_refused_by_name(own_tiny, monkeypatch):
    run, data = keep(own_tiny, "query_encoder", "dynamic_int8"), table_of("int16")
    (run.converted / run.variants[0].file).write_bytes(data)
    inputs = [Port("ids", [4], "int32")]
    change_variants(run, lambda known: [replace(known[0], sha256=sha256_bytes(data), inputs=inputs)])
    monkeypatch.setitem(FEEDS, "ids", lambda query, names: np.zeros(4, np.int32))
    (row,) = check_parity(run, require=[WEBGPU]).results
    assert row.status == "skipped" and "gpu-unreadable-table" in row.reason
    monkeypatch.setattr(judge, "gpu_refusal", lambda file: "")
    (row,) = check_parity(run, targets=[WEBGPU]).results
    assert row.status == "error" and "Check failed" in row.reason


@needs_webgpu
def test_a_page_that_takes_too_long_is_a_row(own_tiny):
    (row,) = check_parity(keep(own_tiny, "retriever", "float32"), targets=[WEBGPU], timeout_s=0.5).results
    assert (row.status, row.reason) == ("error", "no answer within 0.5 s")


@needs_webgpu
def test_a_browser_without_an_adapter_is_a_reason(monkeypatch, tmp_path):
    """It would answer on WebAssembly, and nobody would know."""
    script = tmp_path / "chromium"
    dropped = "--use-webgpu-adapter=*|--enable-unsafe-webgpu"
    script.write_text(
        f'#!/bin/sh\nfor word; do shift; case $word in {dropped}) ;; *) set -- "$@" "$word" ;; esac; done\n'
        f'exec {litert_js.browser()} --disable-gpu "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(litert_js, "BROWSERS", (str(script),))
    outcome = answered(table_of("int32"), {"ids": np.zeros((1, 4), np.int32)})
    assert "this browser has no WebGPU adapter" in outcome.reason


def gpu_processes():
    """Process ids of Chromium's that compute on the GPU, of browsers that this process started."""
    processes = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            processes[int(place.name)] = parent, b"--type=gpu-process" in (place / "cmdline").read_bytes()
    ours = {os.getpid()}
    for _ in range(6):  # worker, browser, its helpers
        ours |= {pid for pid, (parent, _) in processes.items() if parent in ours}
    return [pid for pid in ours if processes.get(pid, (0, False))[1]]


@pytest.mark.full
@needs_webgpu
def test_a_gpu_process_that_dies_is_a_reason_and_no_hang(run):
    """Chromium starts it anew a few times; what lay on the device is gone."""
    variant = next(v for v in Run(run).variants if (v.graph, v.recipe) == ("query_encoder", "float32"))
    feeds = HeldOut(Run(run)).feeds([port.name for port in variant.inputs])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run_variant, run / "converted" / variant.file, feeds, **WHERE)
        while not waiting.done():
            for pid in gpu_processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait([waiting], 0.5)
    reason = waiting.result().reason
    assert "the GPU device was lost" in reason or "no WebGPU adapter" in reason, reason


@pytest.mark.full
@needs_webgpu
@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic_int8"])
def test_a_ranker_asked_for_one_candidate_a_call_keeps_its_gate(run, recipe):
    """In the matrix it is skipped: LiteRT.js resizes no input."""
    data, n_pairs = HeldOut(Run(run)), 200
    feeds = data.feeds(["history", "items", "preferences", "stars"])
    users = np.repeat(np.arange(len(feeds["items.offsets"]) - 1), np.diff(feeds.pop("items.offsets")))[:n_pairs]
    single = {name: value[users] for name, value in feeds.items() if name != "items"}
    path = run / "converted" / f"ranker-{recipe}.tflite"
    outcome = run_variant(path, {**single, "items": feeds["items"][:n_pairs, None]}, **WHERE, timeout_s=300)
    assert outcome, outcome.reason
    with np.load(run / "reports" / "reference.npz") as reference:
        worst = np.abs(outcome.arrays["rating"][:, 0] - reference["rating"][:n_pairs]).max()
    assert worst <= read_gates(None).find("ranker", recipe).limits["max_abs_diff"]


def test_without_chromiums_driver_cells_are_skipped_with_the_command_and_errors_when_required(
    own_tiny, monkeypatch, tmp_path
):
    monkeypatch.setattr(swiftshader, "SOURCES", (tmp_path / "none",))
    run = keep(own_tiny, "query_encoder", "float32")
    (row,) = check_parity(run, targets=[WEBGPU]).results
    assert row.status == "skipped" and "apt-get install chromium" in row.reason and row.acceleration is None
    (row,) = check_parity(run, require=[WEBGPU]).results
    assert row.status == "error"


def test_it_runs_only_when_asked_for_and_is_never_timed(tiny, pocketrec):
    rows = json.loads((tiny / "reports" / "parity.json").read_text())["results"]
    assert RUNTIME in chosen_runtimes([], [WEBGPU], RUNTIMES) and WEBGPU not in {row["target"] for row in rows}
    assert refused(pocketrec("latency", tiny, "--target", WEBGPU)).endswith("[TARGET_UNTIMED]")


def test_doctor_lists_it_with_the_command_that_adds_it(pocketrec, tmp_path):
    done = pocketrec("doctor", env={"POCKETREC_CACHE": str(tmp_path), "PATH": os.defpath})
    assert f"missing target: {WEBGPU}: " in done.out
