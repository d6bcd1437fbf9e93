import json

import numpy as np
import pytest
from pocketrec.benchmarks.percentiles import summarize
from pocketrec.convert.recipes import RECIPES

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
    assert subjects.count("tflite") == 4 * len(RECIPES) * 2 and subjects.count("server/scann/savedmodel") == 2
    assert set(subjects) == {"tflite", "server/bruteforce/savedmodel", "server/scann/savedmodel", "server/scann/native"}


def test_batch_is_the_number_of_candidates_where_a_graph_takes_any(results):
    batches = {(row["graph"], row["batch_size"]) for row in results if row["subject"] == "tflite"}
    assert batches == {("ranker", 100), ("query_encoder", 1), ("retriever", 1), ("recommender", 1)}


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
    assert [row["n_samples"] for row in rows] == [40, 40]
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
