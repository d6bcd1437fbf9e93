import json

import numpy as np
import pytest
from pocketrec.benchmarks.latency.cases import is_usual
from pocketrec.benchmarks.latency.machine_noise import describe_conditions, noise
from pocketrec.benchmarks.latency.statistics import summarize
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.runtimes.launch import Job, run_forked

from tests.conftest import refused

FIELDS = {
    "subject", "graph", "recipe", "runtime", "target", "threads", "batch_size", "n_items", "k", "is_exact", "recall_at_k",
    "n_samples", "n_processes", "p50_us", "p90_us", "p99_us", "ci95_p50_us", "load_ms", "first_call_ms", "peak_rss_bytes",
    "size_bytes", "samples_file",
}  # fmt: skip


@pytest.fixture(scope="module")
def results(run):
    return json.loads((run / "reports" / "latency.json").read_text())["results"]


def test_every_variant_and_the_servers_were_measured(results):
    assert all(set(row) >= FIELDS for row in results)
    subjects = [row["subject"] for row in results]
    # Threads 1 and 2 and without XNNPACK; rankers with 1 and 10 candidates too.
    assert subjects.count("tflite") == (4 * 3 + 2) * len(RECIPES) * 2 and subjects.count("server/scann/savedmodel") == 2
    assert sum(is_usual(row) for row in results) == 4 * len(RECIPES) * 2 + 4
    assert set(subjects) == {"tflite", "server/bruteforce/savedmodel", "server/scann/savedmodel", "server/scann/native"}


def test_batch_is_the_number_of_candidates_where_a_graph_takes_any(results):
    batches = {(row["graph"], row["batch_size"]) for row in results if row["subject"] == "tflite"}
    ranked = {("ranker", 1), ("ranker", 10), ("ranker", 100)}
    assert batches == {*ranked, ("query_encoder", 1), ("retriever", 1), ("recommender", 1)}
    usual = {(row["graph"], row["batch_size"]) for row in results if row["subject"] == "tflite" and is_usual(row)}
    assert ranked & usual == {("ranker", 100)}


def test_every_retriever_declares_recall_against_exact(results):
    for row in results:
        retrieves = row["subject"] != "tflite" or row["graph"] in ("retriever", "recommender")
        assert (row["recall_at_k"] is not None) == retrieves == (row["is_exact"] is not None) == (row["k"] is not None)
        if row["is_exact"]:
            assert row["recall_at_k"] == 1.0
    by_setup = {
        row["configuration"]: row["recall_at_k"] for row in results if row["subject"] == "server/scann/savedmodel"
    }
    assert by_setup["brute_force"] == 1.0
    assert 0.3 < by_setup["tfrs_default"] < 0.95, "TFRS' defaults miss some of the catalogue's best"


def test_figures_are_those_of_the_raw_samples(results, run):
    for row in results:
        with np.load(run / "reports" / row["samples_file"]) as archive:
            samples = archive["samples_ns"]
        assert samples.shape == (row["n_processes"], row["n_samples"] // row["n_processes"])
        assert {key: row[key] for key in ("p50_us", "p90_us", "p99_us")} == {
            key: summarize(samples)[key] for key in ("p50_us", "p90_us", "p99_us")
        }


def test_any_file_can_be_timed(tutorial_run, pocketrec, tmp_path):
    file = tutorial_run / "converted" / "ranker_strings-dynamic_int8.tflite"
    done = pocketrec("latency", "--tflite", file, "--processes", 2, "--samples", 20, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "out" / "latency.json").read_text())["results"]
    assert [(row["n_samples"], row["threads"]) for row in rows] == [(40, 1), (40, 2)] * 2
    assert all(row["p99_us"] is None and row["p50_us"] > 0 and row["inputs"] == "zeros" for row in rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--threads", "0"], "1 to"),
        (["--threads", "4096"], "the processors of this machine"),
        (["--samples", "0"], "1 or more"),
        (["--runtime", "tflite"], "one of"),
        (["--tflite", "x.tflite"], "leave one out"),
    ],
)
def test_bad_arguments_are_one_line(run, pocketrec, arguments, said):
    assert said in refused(pocketrec("latency", run, *arguments))


def test_cold_start_and_overhead_stand_apart_from_the_percentiles(results):
    for row in (row for row in results if row["subject"] == "tflite"):
        assert 0 < row["overhead_us"] < row["p50_us"] and 0 < row["allocate_ms"] <= row["load_ms"]
        assert row["rss_before_bytes"] < row["rss_after_bytes"] <= row["peak_rss_bytes"]
        assert row["ci95_p90_us"][0] <= row["p90_us"] <= row["ci95_p90_us"][1]
        assert row["p90_early_stopping_us"] >= row["p90_us"] and row["delegate"] in ("xnnpack", "none")


def test_conditions_are_recorded(run):
    found = json.loads((run / "reports" / "latency.json").read_text())["conditions"]
    assert set(found) == {"affinity", "load_average", "governor", "typical_spread", "noisy", "warnings"}
    assert found["affinity"] and len(found["load_average"]) == 3 and found["noisy"] == bool(found["warnings"])


def test_a_noisy_machine_is_said():
    quiet = describe_conditions([0.0, 0.0, 0.0], [{"spread": 0.02, "n_processes": 5}])
    assert not quiet["noisy"] and noise({"conditions": quiet}) == []
    loud = describe_conditions(
        [9999.0, 0.0, 0.0], [{"spread": 0.4, "n_processes": 5}, {"spread": 9.0, "n_processes": 1}]
    )
    (line,) = noise({"conditions": loud})
    assert "lie 40% apart" in line and "9999 processes were running" in line


def test_forks_answer_as_processes_do_and_a_crash_hits_one_job_only(tmp_path):
    (tmp_path / "worker.py").write_text(
        "import json, os, sys, time, numpy as np\n"
        "def prepare(spec): pass\n"
        "def main(path):\n"
        "    spec = json.loads(open(path).read())\n"
        "    if spec['how'] == 'crash': print('on the way down', file=sys.stderr, flush=True); os.abort()\n"
        "    if spec['how'] == 'hang': time.sleep(60)\n"
        "    if spec['how'] == 'refuse': raise SystemExit('inputs: expected others')\n"
        "    if spec['how'] == 'raise': raise ValueError('no such thing')\n"
        "    given = np.load(spec['inputs'])['x'] * spec['factor']\n"
        "    np.savez(open(spec['outputs'], 'wb'), meta=np.array('{}'), x=given, pid=np.array(os.getpid()))\n"
    )
    x = {"x": np.arange(3)}
    jobs = [
        Job(str(tmp_path / "worker.py"), {"how": how}, x, 3.0) for how in ("", "crash", "hang", "refuse", "raise", "")
    ]
    good, crash, hang, refuse, thrown, again = run_forked(jobs, {"factor": 2})
    assert good.arrays["x"].tolist() == again.arrays["x"].tolist() == [0, 2, 4]
    assert good.arrays["pid"] != again.arrays["pid"]
    assert crash.reason == "signal 6: on the way down" and hang.reason == "no answer within 3 s"
    assert refuse.reason == "exit status 1: inputs: expected others" and "ValueError: no such thing" in thrown.reason
