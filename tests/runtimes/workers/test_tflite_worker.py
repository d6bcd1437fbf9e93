"""The worker protocol, with real runtimes."""

import json
import subprocess
import sys

import numpy as np
import pytest
from pocketrec.runtimes.launch import WORKER, run_variant, variant_job
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, RUNTIMES

from tests.convert.models import converted

# Of the tiny run's histories: the linear encoder's.
WINDOW = 256


@pytest.fixture
def ranker(tiny):
    return tiny / "converted" / "ranker-float32.tflite"


def feeds_of(*lengths, **replaced):
    """One query per length: that many candidates, after a history that depends on the query."""
    histories = [np.arange(WINDOW) % (3 + query) for query in range(len(lengths))]
    items = np.concatenate([np.arange(length) + query for query, length in enumerate(lengths)]).astype(np.int32)
    feeds = {
        "history": np.array(histories, np.int32),
        "stars": np.full((len(lengths), WINDOW), 4, np.float32),
        "preferences": np.zeros((len(lengths), 8), np.float32),
        "items": items,
        "items.offsets": np.cumsum([0, *lengths]),
    }
    if len({*lengths}) == 1:
        feeds |= {"items": items.reshape(len(lengths), -1)}
        del feeds["items.offsets"]
    return feeds | replaced


def test_worker_imports_numpy_and_one_runtime_only(ranker, tmp_path):
    program = (
        "import sys, runpy; sys.argv = ['worker.py', sys.argv[1]]\n"
        f"sys.path.insert(0, '/nonexistent'); runpy.run_path({str(WORKER)!r}, run_name='__main__')\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'tensorflow', 'tflite_runtime', 'pocketrec', 'scipy', 'rich'}, loaded"
    )
    np.savez(tmp_path / "in.npz", **feeds_of(3))
    spec = {
        "model": str(ranker),
        "module": RUNTIMES[CURRENT_RUNTIME].module,
        "threads": 1,
        "mode": "outputs",
        "inputs": str(tmp_path / "in.npz"),
        "outputs": str(tmp_path / "out.npz"),
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(tmp_path / "spec.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as archive:
        assert archive["rating"].shape == (1, 3)


@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
def test_queries_of_different_lengths_answer_as_one_by_one(ranker, runtime):
    feeds = feeds_of(3, 1, 2)
    together = run_variant(ranker, feeds, runtime=runtime).arrays
    assert together["rating.offsets"].tolist() == [0, 3, 4, 6]
    last = {name: feeds[name][2:] for name in ("history", "stars", "preferences")} | {"items": feeds["items"][None, 4:]}
    alone = run_variant(ranker, last, runtime=runtime).arrays
    assert np.array_equal(together["rating"][4:], alone["rating"][0])


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ({"user": np.zeros((1, 1), np.int32)}, "got ['history', 'items', 'preferences', 'stars', 'user']"),
        ({"history": np.zeros((1, WINDOW), np.int64)}, "input history: expected int32, got int64"),
        ({"history": np.zeros((1, 3), np.int32)}, f"input history: expected shape [{WINDOW}], got [3]"),
    ],
)
def test_feeds_that_do_not_fit_are_a_reason(ranker, replaced, said):
    outcome = run_variant(ranker, feeds_of(2, **replaced), runtime=CURRENT_RUNTIME)
    assert not outcome and said in outcome.reason


def test_a_damaged_model_is_a_reason_not_a_crash(ranker, tmp_path):
    data = bytearray(ranker.read_bytes())
    data[64:4096] = bytes(4032)
    (tmp_path / "x.tflite").write_bytes(data)
    for runtime in PHONE_RUNTIMES:
        outcome = run_variant(tmp_path / "x.tflite", feeds_of(2), runtime=runtime)
        assert not outcome and outcome.reason


def test_latency_mode_keeps_raw_samples_and_tells_load_from_first_call(ranker):
    job = variant_job(ranker, feeds_of(5, 5), runtime=CURRENT_RUNTIME)
    outcome = job.run(mode="latency", warmup=5, samples=40)
    assert outcome.arrays["samples_ns"].shape == (40,) and (outcome.arrays["samples_ns"] > 0).all()
    assert {"load_ns", "allocate_ns", "first_call_ns", "peak_rss_bytes", "rss_before_bytes"} <= set(outcome.meta)
    assert outcome.meta["peak_rss_bytes"] >= outcome.meta["rss_before_bytes"] > 0


@pytest.fixture(scope="module")
def endless():
    """A model that loops for ever while its input is below two."""
    from pocketrec.train.tf import tf

    def loop(x):
        return {"y": tf.while_loop(lambda v: tf.reduce_all(v < 2.0), lambda v: (v * 1.0,), (x,))[0]}

    return converted(loop, tf.TensorSpec([1], tf.float32, "x"))


@pytest.mark.full
@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
def test_a_model_that_loops_for_ever_ends_with_the_time_limit(endless, tmp_path, runtime):
    path = tmp_path / "loop.tflite"
    path.write_bytes(endless)
    assert run_variant(path, {"x": np.full((1, 1), 3, np.float32)}, runtime=runtime).arrays["y"][0] == 3.0
    outcome = run_variant(path, {"x": np.ones((1, 1), np.float32)}, runtime=runtime, timeout_s=3)
    assert outcome.reason == "no answer within 3 s"


def test_an_interpreter_in_a_large_package_is_imported_alone(ranker):
    (name,) = [name for name, runtime in RUNTIMES.items() if runtime.bare]
    outcome = run_variant(ranker, feeds_of(3), runtime=name)
    assert outcome and outcome.meta["peak_rss_bytes"] < 200e6  # all of TensorFlow takes 400 MB and more
