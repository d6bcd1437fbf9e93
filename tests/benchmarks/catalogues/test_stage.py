"""A sweep over catalogue sizes."""

import json
import shutil

import numpy as np
import pytest
from pocketrec.benchmarks.catalogues import stage
from pocketrec.benchmarks.catalogues.cases import SCANN_BUILD_WORKER, SearchSetup, scann_cases
from pocketrec.benchmarks.catalogues.stage import measure_scaling, own_rows
from pocketrec.benchmarks.catalogues.sweep import check_sizes
from pocketrec.benchmarks.catalogues.synthetic_catalogue import fit_mixture, grow
from pocketrec.benchmarks.latency.beside import earlier_report
from pocketrec.benchmarks.latency.options import LatencyOptions
from pocketrec.convert.retrieval.catalogue_index import exact_best
from pocketrec.convert.retrieval.search_graphs import FORMS
from pocketrec.core.documents import LATENCY_SCHEMA, read_json
from pocketrec.core.metrics import recall_with_ties
from pocketrec.core.records.latency import LatencyReport, LatencyRow
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.launch import run_worker
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES
from pocketrec.train.export.scann_settings import scann_settings

from tests.conftest import raises, refused


def report_of(run):
    return LatencyReport.from_json(read_json(run / "reports" / "latency.json", LATENCY_SCHEMA))


@pytest.fixture(scope="module")
def swept(tiny, tmp_path_factory):
    """A copy of the tiny run, measured at two sizes on one runtime; with what its report held before and what was shown."""
    from tests.conftest import call

    own = tmp_path_factory.mktemp("sweep") / "run"
    shutil.copytree(tiny, own)
    before = report_of(own)
    converted = {path.name for path in (own / "converted").iterdir()}
    arguments = [
        "--items",
        900,
        "--items",
        500,
        "--dimension",
        8,
        "--processes",
        1,
        "--samples",
        30,
        "--runtime",
        CURRENT_RUNTIME,
    ]
    done = call("latency", own, *arguments)
    assert done.code == 0, done.err
    assert converted == {path.name for path in (own / "converted").iterdir()}, "files of a sweep are scratch"
    return own, before, report_of(own), done


@pytest.mark.full
def test_every_form_is_measured_at_every_size(swept):
    own, _, report, _ = swept
    rows = report.swept_rows
    measured = {(row.form, row.n_items) for row in rows if row.is_tflite}
    assert measured == {(form, n) for form in FORMS for n in (500, 900)}
    assert [row.n_items for row in rows if row.form == "brute_force"] == [500, 900]
    for row in rows:
        with np.load(own / "reports" / row.samples_file) as archive:
            samples = archive["samples_ns"].ravel() / 1e3
        assert row.p50_us == np.quantile(samples, 0.5, method="inverted_cdf") and row.n_processes == 1
        assert row.dimension == 8 and row.size_bytes > 0 and row.status == "measured"
        assert row.recall_at_k == 1.0 if row.is_exact else row.recall_at_k >= 0.9


@pytest.mark.full
def test_growth_and_costs_stand_beside_the_results(swept):
    _, _, report, done = swept
    assert [row.n_items for row in report.growth] == [500, 900], "a run this small is no size of its own"
    assert all(row.read_gb_s > 0 and row.scanned_bytes == 8 * row.n_items for row in report.growth)
    (model,) = report.cost_model
    assert model.runtime == CURRENT_RUNTIME
    assert {row.n_items for row in model.residuals} == {500, 900}
    assert all(row.through_heap == row.n_items for row in model.residuals if row.form == "full_scan")
    assert "partitioned" in done.out and "residuals" in done.out


@pytest.mark.full
def test_rows_of_the_runs_own_catalogue_are_kept(swept):
    _, before, report, _ = swept
    assert report.own_rows == (before.rows if before.host == report.host else [])


def test_rows_are_kept_only_where_they_still_hold(tmp_path):
    own, grown = LatencyRow(subject="tflite", runtime="r"), LatencyRow(subject="tflite", runtime="r", form="full_scan")
    phone = LatencyRow(subject="tflite", runtime="r", target="adb")
    report = LatencyReport(results=[own, grown, phone], made_from_sha256="ab", host={"cpu": "one"})
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(report.to_json()))
    assert own_rows(earlier_report(path, "ab"), {"cpu": "one"}) == [own, phone]
    assert own_rows(earlier_report(path, "ab"), {"cpu": "another"}) == [phone]
    assert earlier_report(path, "another") is None and earlier_report(tmp_path / "none.json", "ab") is None
    path.write_text("{")
    assert earlier_report(path, "ab") is None and own_rows(None, {"cpu": "one"}) == []


@pytest.mark.full
def test_report_shows_the_sweep(swept):
    from pocketrec.benchmarks.report.stage import write_report

    own, *_ = swept
    write_report(Run(own))
    for name in ("report.md", "report.html"):
        text = (own / "reports" / name).read_text()
        assert "partitioned" in text and "Cost model of full scans" in text


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        ({"items": [5]}, "VALUE_OUT_OF_RANGE", "--items"),
        ({"items": [119]}, "VALUE_OUT_OF_RANGE", "the run's own catalogue"),
        ({"items": [5000, 0]}, "VALUE_OUT_OF_RANGE", "--items"),
        ({"items": [90_000_000_000]}, "VALUE_OUT_OF_RANGE", ".tflite"),
        ({"items": [5000], "dimension": 6500}, "VALUE_OUT_OF_RANGE", "--dimension"),
        ({"items": [5000], "dimension": -3}, "VALUE_OUT_OF_RANGE", "--dimension"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(tiny, options, code, named):
    before = (tiny / "reports" / "latency.json").read_bytes()
    with raises(code) as caught:
        measure_scaling(Run(tiny), **options)
    assert named in str(caught.value)
    assert (tiny / "reports" / "latency.json").read_bytes() == before


def test_an_unknown_runtime_is_refused(tiny):
    with raises("NAME_UNKNOWN") as caught:
        measure_scaling(Run(tiny), LatencyOptions(runtimes=["litert"]), items=[5000])
    assert "--runtime" in str(caught.value)


def test_options_that_do_not_go_together_are_one_line(tiny, pocketrec, tmp_path):
    assert "OPTION_MISSING" in refused(pocketrec("latency", tiny, "--dimension", 32))
    assert "OPTION_MISSING" in refused(pocketrec("latency", "--tflite", tmp_path / "x.tflite", "--items", 5000))
    assert "USAGE" in refused(pocketrec("latency", tiny, "--items", "many"))


def test_sizes_are_taken_once_and_smallest_first():
    assert check_sizes([5000, 2000, 5000], 1682, 100, 64) == [2000, 5000]


def test_without_scann_its_cases_are_skipped(tiny, monkeypatch):
    from pocketrec.benchmarks.latency import cases

    found = cases.util.find_spec
    monkeypatch.setattr(cases.util, "find_spec", lambda name: None if name == "scann" else found(name))
    setup = made_up_setup(tiny)
    (case,) = scann_cases(setup)
    assert "pocketrec[train]" in case.missing()
    options = LatencyOptions(threads=[1], processes=1, samples=5).checked()
    monkeypatch.setattr(stage, "_read_gb_s", lambda n_bytes: 1.0)
    with raises("WORKER_FAILED"):
        stage._measure(tiny, setup, [case], options)  # nothing else was measured


def made_up_setup(folder):
    items = np.eye(4, dtype=np.float32)
    return SearchSetup(folder, items, items[:2], items[2:], 2, 0.9, 0)


def test_slow_cases_are_called_less_often():
    from pocketrec.runtimes.launch import Outcome

    slow, fast = (Outcome("", {"samples_ns": np.full(3, ns)}) for ns in (10**9, 10**4))
    assert stage._samples(slow, 1000) == (stage.LEAST_SAMPLES, 2)
    assert stage._samples(fast, 1000) == (1000, 100) and stage._samples(slow, 5) == (5, 1)


@pytest.fixture(scope="module")
def setup(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scann")
    items = grow(fit_mixture(np.load(run / "trained" / "candidates.npy")), 20_000, folder / "items.npy")
    with np.load(run / "reports" / "reference.npz") as archive:
        vectors = archive["query"]
    asked = np.arange(len(vectors)) % 10 == 0
    return SearchSetup(folder, items, vectors[asked], vectors[~asked], 100, 0.96, 0)


def test_native_scann_is_tuned_to_the_recall(setup):
    cases = scann_cases(setup)
    exact = exact_best(setup.items, setup.queries, 100)
    assert [case.fields.form for case in cases] == ["brute_force", "ah_reorder", "ah_reorder_weighted"]
    for case in cases:
        outcome = case.timed(len(setup.queries), 1).run()
        assert outcome, outcome.reason
        ids = np.split(outcome.arrays["ids"], outcome.arrays["ids.offsets"][1:-1])
        found = recall_with_ties(ids, exact, setup.items, setup.queries, tie=stage.TIE)
        assert found == 1.0 if case.fields.is_exact else found >= 0.95


def test_scann_with_a_tree_takes_the_cheapest_search_that_reaches_the_recall(setup, tmp_path):
    settings = {**scann_settings(1_000_000), "num_leaves": 140, "num_leaves_to_search": 14}
    queries = setup.representative[:30]
    inputs = {"query": queries, "exact": exact_best(setup.items, queries, 100)}
    found = {}
    for wanted in (0.5, 0.95, 1.1):
        spec = {
            "items": str(setup.folder / "items.npy"),
            "settings": settings,
            "k": 100,
            "recall": wanted,
            "folder": str(tmp_path / str(wanted)),
        }
        outcome = run_worker([str(SCANN_BUILD_WORKER)], spec, inputs, timeout_s=120)
        assert outcome, outcome.reason
        found[wanted] = outcome.meta
    assert found[0.5]["recall"] >= 0.5 and found[0.95]["recall"] >= 0.95
    assert found[0.5]["search"]["leaves_to_search"] <= found[0.95]["search"]["leaves_to_search"]
    assert found[1.1]["recall"] > 0.99, "a recall out of reach is answered with the best there is"


@pytest.mark.full
def test_the_demos_own_catalogue_is_the_first_size_of_its_sweep(run, tmp_path):
    own = tmp_path / "run"
    shutil.copytree(run, own)
    report = measure_scaling(Run(own), LatencyOptions(processes=2, samples=30), items=[5000], dimension=32)
    n_own = Run(run).record.data.n_items
    assert [row.n_items for row in report.growth] == [n_own, 5000] and report.growth[0].resembles
    measured = {(row.form, row.runtime, row.n_items) for row in report.swept_rows if row.is_tflite}
    assert measured == {(form, name, n) for form in FORMS for name in PHONE_RUNTIMES for n in (n_own, 5000)}
    assert all(row.recall_at_k >= 0.95 for row in report.swept_rows)
    settings = next(row.settings for row in report.rows if row.form == "partitioned" and row.n_items == 5000)
    assert settings["n_cells"] * settings["cell_size"] >= 5000 > settings["cells_read"] * settings["cell_size"]
    heaped = {(row.form, row.n_items): row.through_heap for row in report.cost_model[0].residuals}
    # 5,000 scores in blocks of 4: 1,250 maxima, and 100 blocks.
    assert heaped["full_scan", 5000] == 5000 and heaped["two_stage", 5000] == 1650
