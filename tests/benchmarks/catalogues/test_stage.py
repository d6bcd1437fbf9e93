import json
import shutil

import numpy as np
import pytest
from pocketrec.benchmarks.catalogues.cases import _SCANN_WORKER, Scaled, scann_subjects
from pocketrec.benchmarks.catalogues.stage import TIE, check_sizes
from pocketrec.benchmarks.latency.statistics import summarize
from pocketrec.convert.retrieval.catalogue_index import exact_best
from pocketrec.convert.retrieval.search_graphs import FORMS
from pocketrec.core.errors import InputError
from pocketrec.core.metrics import recall_with_ties
from pocketrec.runtimes.launch import run_worker
from pocketrec.train.export.scann_settings import scann_settings

from tests.benchmarks.latency.test_stage import FIELDS
from tests.conftest import refused


@pytest.fixture(scope="module")
def swept(run, tmp_path_factory):
    """A copy of the run, measured at two sizes."""
    from tests.conftest import call

    own = tmp_path_factory.mktemp("sweep") / "run"
    shutil.copytree(run, own)
    before = json.loads((own / "reports" / "latency.json").read_text())
    converted = {path.name for path in (own / "converted").iterdir()}
    arguments = ["--items", 5000, "--items", 2000, "--dimension", 32, "--processes", 2, "--samples", 30]
    done = call("latency", own, *arguments)
    assert done.code == 0, done.err
    assert converted == {path.name for path in (own / "converted").iterdir()}, "files of a sweep are scratch"
    return own, before, json.loads((own / "reports" / "latency.json").read_text()), done


def test_every_form_is_measured_at_every_size_on_both_runtimes(swept):
    own, _, document, _ = swept
    rows = [row for row in document["results"] if "form" in row]
    assert all(set(row) >= FIELDS | {"form", "dimension", "settings"} for row in rows)
    measured = {(r["form"], r["runtime"], r["n_items"]) for r in rows if r["subject"] == "tflite"}
    runtimes = ("tflite-runtime-2.14.0", "litert-2.3.0")
    assert measured == {(form, runtime, n) for form in FORMS for runtime in runtimes for n in (1682, 2000, 5000)}
    assert [r["n_items"] for r in rows if r["form"] == "brute_force"] == [1682, 2000, 5000]
    for row in rows:
        with np.load(own / "reports" / row["samples_file"]) as archive:
            samples = archive["samples_ns"]
        assert row["p50_us"] == summarize(samples)["p50_us"] and row["n_processes"] == 2
        assert row["k"] == 100 and row["dimension"] == 32 and row["size_bytes"] > 0
        assert row["recall_at_k"] == 1.0 if row["is_exact"] else row["recall_at_k"] >= 0.95
    cells = next(row["settings"] for row in rows if row["form"] == "partitioned" and row["n_items"] == 5000)
    assert cells["n_cells"] * cells["cell_size"] >= 5000 > cells["cells_read"] * cells["cell_size"]


def test_growth_and_costs_stand_beside_the_results(swept):
    _, _, document, done = swept
    assert [(row["n_items"], row["resembles"]) for row in document["growth"]] == [
        (n_items, True) for n_items in (1682, 2000, 5000)
    ]
    assert all(row["read_gb_s"] > 0 and row["scanned_bytes"] == 32 * row["n_items"] for row in document["growth"])
    assert {model["runtime"] for model in document["cost_model"]} == {"tflite-runtime-2.14.0", "litert-2.3.0"}
    for model in document["cost_model"]:
        heaped = {(row["form"], row["n_items"]): row["through_heap"] for row in model["residuals"]}
        # 5,000 scores in blocks of 4: 1,250 maxima and 100 blocks.
        assert heaped.pop(("full_scan", 1682)) == 1682 and heaped.pop(("two_stage", 1682)) > 0
        assert heaped == {("full_scan", 2000): 2000, ("full_scan", 5000): 5000, ("two_stage", 2000): 1200,
                          ("two_stage", 5000): 1650}  # fmt: skip
    assert "partitioned" in done.out and "residuals" in done.out


def test_rows_of_the_runs_own_catalogue_are_kept_only_where_they_still_hold(swept):
    own, before, document, _ = swept
    from pocketrec.benchmarks.catalogues.stage import _own_catalogue

    path, host = own / "kept.json", before["host"]
    made_from = before["made_from_sha256"]
    path.write_text(json.dumps({**before, "results": [*before["results"], {"form": "full_scan"}]}))
    assert _own_catalogue(path, made_from, host) == before["results"]
    assert _own_catalogue(path, "another", host) == [] == _own_catalogue(path, made_from, {**host, "cpu": "another"})
    assert _own_catalogue(own / "none.json", made_from, host) == []
    kept = [row for row in document["results"] if "form" not in row]
    assert kept == (before["results"] if before["host"] == document["host"] else [])


def test_report_shows_the_sweep(swept, pocketrec):
    own, *_ = swept
    done = pocketrec("report", own)
    assert done.code == 0, done.err
    text = (own / "reports" / "report.md").read_text()
    assert "partitioned" in text and "5,000" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--items", "99"], "--items: expected 100 or more, the results of a call, got 99"),
        (["--items", "1000"], "the items of the run's own catalogue, got 1,000"),
        (["--items", "5000", "--items", "0"], "100 or more"),
        (["--items", "90000000"], "what a .tflite file can hold"),
        (["--items", "5000", "--dimension", "65"], "--dimension: expected 1 to 64, the run's own, got 65"),
        (["--items", "5000", "--dimension", "-3"], "--dimension: expected 1 to 64, the run's own, got -3"),
        (["--dimension", "32"], "--items beside it"),
        (["--items", "many"], "'--items'"),
        (["--items", "5000", "--runtime", "litert"], "did you mean"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(run, pocketrec, arguments, said):
    before = (run / "reports" / "latency.json").read_bytes()
    assert said in refused(pocketrec("latency", run, *arguments))
    assert (run / "reports" / "latency.json").read_bytes() == before


def test_items_need_a_run(pocketrec, tmp_path):
    assert "a RUN with --items" in refused(pocketrec("latency", "--tflite", tmp_path / "x.tflite", "--items", 5000))


def test_sizes_are_taken_once_and_smallest_first():
    assert check_sizes([5000, 2000, 5000], 1682, 100, 64) == [2000, 5000]
    with pytest.raises(InputError, match="at most"):
        check_sizes([10_000_000], 1682, 100, 64)


@pytest.fixture(scope="module")
def scaled(run, tmp_path_factory):
    from pocketrec.benchmarks.catalogues.synthetic_catalogue import fit_mixture, grow

    folder = tmp_path_factory.mktemp("scann")
    items = grow(fit_mixture(np.load(run / "trained" / "candidates.npy")), 20_000, folder / "items.npy")
    with np.load(run / "reports" / "reference.npz") as archive:
        vectors = archive["query"]
    asked = np.arange(len(vectors)) % 10 == 0
    return Scaled(folder, items, vectors[asked], vectors[~asked], 100, 0.96, 0)


def test_native_scann_is_tuned_to_the_recall(scaled):
    subjects = scann_subjects(scaled, lambda text: None)
    exact = exact_best(scaled.items, scaled.queries, 100)
    assert [subject.fields["form"] for subject in subjects] == ["brute_force", "ah_reorder", "ah_reorder_weighted"]
    for subject in subjects:
        outcome = subject.measure(1, len(scaled.queries))
        assert outcome, outcome.reason
        ids = np.split(outcome.arrays["ids"], outcome.arrays["ids.offsets"][1:-1])
        found = recall_with_ties(ids, exact, scaled.items, scaled.queries, tie=TIE)
        assert found == 1.0 if subject.fields["is_exact"] else found >= 0.95


def test_scann_with_a_tree_takes_the_cheapest_search_that_reaches_the_recall(scaled, tmp_path):
    settings = {**scann_settings(1_000_000), "num_leaves": 140, "num_leaves_to_search": 14}
    queries = scaled.representative[:30]
    inputs = {"query": queries, "exact": exact_best(scaled.items, queries, 100)}
    found = {}
    for wanted in (0.5, 0.95, 1.1):
        spec = {
            "items": str(scaled.folder / "items.npy"), "settings": settings, "k": 100, "recall": wanted,
            "folder": str(tmp_path / str(wanted)),
        }  # fmt: skip
        outcome = run_worker([str(_SCANN_WORKER)], spec, inputs, timeout_s=120)
        assert outcome, outcome.reason
        found[wanted] = outcome.meta
    assert found[0.5]["recall"] >= 0.5 and found[0.95]["recall"] >= 0.95
    assert found[0.5]["search"]["leaves_to_search"] <= found[0.95]["search"]["leaves_to_search"]
    assert found[1.1]["recall"] > 0.99, "a recall out of reach is answered with the best there is"
