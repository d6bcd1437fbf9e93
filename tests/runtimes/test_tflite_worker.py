"""The worker protocol, with real runtimes: what a process of its own protects from."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pocketrec.runtimes.launch import WORKER, run_variant, run_worker, side_by_side
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES


@pytest.fixture
def ranker(tutorial_run):
    return tutorial_run / "converted" / "ranker-float32.tflite"


def test_worker_imports_numpy_and_one_runtime_only(ranker, tmp_path):
    program = (
        "import sys, runpy; sys.argv = ['worker.py', sys.argv[1]]\n"
        f"sys.path.insert(0, '/nonexistent'); runpy.run_path({str(WORKER)!r}, run_name='__main__')\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'tensorflow', 'tflite_runtime', 'pocketrec', 'scipy', 'rich'}, loaded"
    )
    np.savez(tmp_path / "in.npz", user=np.zeros((1, 1), np.int32), items=np.zeros((1, 3), np.int32))
    (tmp_path / "spec.json").write_text(
        f'{{"model": "{ranker}", "module": "ai_edge_litert.interpreter", "threads": 1, "mode": "outputs",'
        f' "inputs": "{tmp_path}/in.npz", "outputs": "{tmp_path}/out.npz"}}'
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "spec.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as archive:
        assert archive["rating"].shape == (1, 3)


@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
def test_queries_of_different_lengths_answer_as_one_by_one(ranker, runtime):
    items = np.array([5, 6, 7, 8, 9, 10], np.int32)
    feeds = {"user": np.array([[1], [2], [3]], np.int32), "items": items, "items.offsets": np.array([0, 3, 4, 6])}
    together = run_variant(ranker, feeds, runtime=runtime).arrays
    assert together["rating.offsets"].tolist() == [0, 3, 4, 6]
    alone = run_variant(ranker, {"user": np.array([[3]], np.int32), "items": items[None, 4:]}, runtime=runtime).arrays
    assert np.array_equal(together["rating"][4:], alone["rating"][0])


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"user": np.zeros((1, 1), np.int32)}, "expected ['items', 'user'], got ['user']"),
        (
            {"user": np.zeros((1, 1), np.int64), "items": np.zeros((1, 2), np.int32)},
            "input user: expected int32, got int64",
        ),
        (
            {"user": np.zeros((1, 2), np.int32), "items": np.zeros((1, 2), np.int32)},
            "input user: expected shape [1], got [2]",
        ),
    ],
)
def test_feeds_that_do_not_fit_are_a_reason(ranker, feeds, said):
    outcome = run_variant(ranker, feeds, runtime="litert-2.3.0")
    assert not outcome and said in outcome.reason


def test_a_damaged_model_is_a_reason_not_a_crash(ranker, tmp_path):
    data = bytearray(ranker.read_bytes())
    data[64:4096] = bytes(4032)
    (tmp_path / "x.tflite").write_bytes(data)
    feeds = {"user": np.zeros((1, 1), np.int32), "items": np.zeros((1, 2), np.int32)}
    for runtime in PHONE_RUNTIMES:
        outcome = run_variant(tmp_path / "x.tflite", feeds, runtime=runtime)
        assert not outcome and outcome.reason


def test_a_crash_and_a_hang_are_reasons_with_what_was_said_last(tmp_path):
    (tmp_path / "crash.py").write_text(
        "import os, sys; print('on the way down', file=sys.stderr, flush=True); os.abort()"
    )
    (tmp_path / "hang.py").write_text("while True: pass")
    crash = run_worker([str(tmp_path / "crash.py")], {}, {}, timeout_s=20)
    assert crash.reason == "signal 6: on the way down"
    assert run_worker([str(tmp_path / "hang.py")], {}, {}, timeout_s=1).reason == "no answer within 1 s"


PARENT = """
import json, subprocess, sys, time
spec = json.load(open(sys.argv[1]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
open(spec["pid"] + ".new", "w").write(str(child.pid))
__import__("os").rename(spec["pid"] + ".new", spec["pid"])
if spec["hangs"]:
    time.sleep(1000)
"""


def ends(pid):
    """Whether a process that was killed is gone, or only waits for its parent to notice."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    return [str(tmp_path / "parent.py")]


@pytest.mark.parametrize(("hangs", "said"), [(True, "no answer within 5 s"), (False, "exit status 0")])
def test_what_a_worker_started_ends_with_it(parent, tmp_path, hangs, said):
    outcome = run_worker(parent, {"pid": str(tmp_path / "pid"), "hangs": hangs}, {}, timeout_s=5)
    assert outcome.reason == said
    assert ends(int((tmp_path / "pid").read_text()))


@pytest.fixture
def interruptible():
    """Programs started in the background of a shell without job control ignore SIGINT, and so do those that they start."""
    known = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, known)


def test_an_interrupt_ends_workers_that_run_side_by_side(parent, tmp_path, interruptible):
    pid = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt), side_by_side() as pool:
        running = pool.submit(run_worker, parent, {"pid": str(pid), "hangs": True}, {}, timeout_s=60)
        while not pid.is_file():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        running.result()
    assert "signal 9" in running.result().reason and ends(int(pid.read_text()))


def test_latency_mode_keeps_raw_samples_and_tells_load_from_first_call(ranker):
    feeds = {"user": np.zeros((2, 1), np.int32), "items": np.zeros((2, 5), np.int32)}
    outcome = run_variant(ranker, feeds, runtime="litert-2.3.0", latency={"warmup": 5, "samples": 40})
    assert outcome.arrays["samples_ns"].shape == (40,) and (outcome.arrays["samples_ns"] > 0).all()
    assert {"load_ns", "allocate_ns", "first_call_ns", "peak_rss_bytes", "rss_before_bytes"} <= set(outcome.meta)
    assert outcome.meta["peak_rss_bytes"] >= outcome.meta["rss_before_bytes"] > 0


def test_a_model_that_loops_for_ever_ends_with_the_time_limit(tmp_path):
    from pocketrec.convert.converter import convert_function
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(
        lambda x: {"y": tf.while_loop(lambda v: tf.reduce_all(v < 2.0), lambda v: (v * 1.0,), (x,))[0]}
    )
    data = convert_function(module, module.f.get_concrete_function(tf.TensorSpec([1], tf.float32, "x")))
    (tmp_path / "loop.tflite").write_bytes(data)
    for runtime in PHONE_RUNTIMES:
        ends = run_variant(tmp_path / "loop.tflite", {"x": np.full((1, 1), 3, np.float32)}, runtime=runtime)
        assert ends.arrays["y"][0] == 3.0
        outcome = run_variant(
            tmp_path / "loop.tflite", {"x": np.ones((1, 1), np.float32)}, runtime=runtime, timeout_s=3
        )
        assert outcome.reason == "no answer within 3 s"


def test_the_interpreter_beside_the_converter_needs_no_whole_tensorflow(ranker):
    feeds = {"user": np.zeros((1, 1), np.int32), "items": np.zeros((1, 3), np.int32)}
    outcome = run_variant(ranker, feeds, runtime="tf-2.18.1")
    assert outcome and outcome.meta["peak_rss_bytes"] < 200e6  # all of TensorFlow takes 400 MB and more
