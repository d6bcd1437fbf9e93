"""What latency.json of a run and of a single file holds."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.latency import options, stage
from pocketrec.benchmarks.latency.case_kinds import batch_sizes, is_usual
from pocketrec.benchmarks.latency.options import LatencyOptions
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.core.documents import LATENCY_SCHEMA, read_json
from pocketrec.core.records.latency import LatencyReport
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, RUNTIMES

from tests.conftest import raises, refused

SERVERS = {"server/bruteforce/savedmodel", "server/scann/savedmodel", "server/scann/native"}


@pytest.fixture(scope="module")
def report(tiny):
    """The tiny run's, measured on the current phone runtime with one thread."""
    path = tiny / "reports" / "latency.json"
    return LatencyReport.from_json(read_json(path, LATENCY_SCHEMA))


def tflite(report):
    return [row for row in report.rows if row.is_tflite]


def test_every_variant_and_the_servers_were_measured(report, tiny):
    variants = {(v.graph, v.recipe) for v in Run(tiny).variants}
    assert {(row.graph, row.recipe) for row in tflite(report)} == variants
    assert {row.subject for row in report.rows if not row.is_tflite} == SERVERS
    assert all(row.status == "measured" and not row.reason for row in report.rows) and not report.failures


def test_each_variant_runs_as_usual_without_its_delegate_and_with_other_numbers_of_candidates(report):
    for graph, recipe in {(row.graph, row.recipe) for row in tflite(report)}:
        rows = [row for row in tflite(report) if (row.graph, row.recipe) == (graph, recipe)]
        batches = batch_sizes(graph)
        found = sorted((row.batch_size, row.delegate) for row in rows)
        assert found == sorted([*((batch, "xnnpack") for batch in batches), (batches[0], "none")])
        assert [row.batch_size for row in rows if is_usual(row)] == [batches[0]]


def test_every_retriever_declares_recall_against_exact(report):
    for row in report.rows:
        retrieves = not row.is_tflite or row.graph in ("retriever", "recommender")
        assert (row.recall_at_k is not None) == retrieves == (row.is_exact is not None) == (row.k is not None)
        if row.is_exact:
            assert row.recall_at_k == 1.0
        if row.is_tflite and retrieves:
            assert row.is_exact == (RECIPES[row.recipe].is_exact)


def nearest_rank(samples, q):
    return sorted(samples)[int(np.ceil(q * len(samples))) - 1] / 1e3


def test_figures_are_those_of_the_raw_samples(report, tiny):
    for row in report.rows:
        with np.load(tiny / "reports" / row.samples_file) as archive:
            samples = archive["samples_ns"]
        assert samples.shape == (row.n_processes, row.n_samples // row.n_processes)
        assert row.p50_us == nearest_rank(samples.ravel().tolist(), 0.5)
        assert row.p50_us_by_process == pytest.approx(
            [
                sorted(one)[len(one) // 2 - 1 : len(one) // 2 + 1] @ np.array([0.5, 0.5]) / 1e3
                for one in map(np.array, samples.tolist())
            ]
        )
        assert row.p99_us is None, "50 calls support no 99th percentile"


def test_cold_start_and_overhead_stand_apart_from_the_percentiles(report):
    for row in tflite(report):
        assert 0 < row.overhead_us < row.p50_us and 0 < row.allocate_ms <= row.load_ms and row.first_call_ms > 0
        assert row.rss_before_bytes < row.rss_after_bytes <= row.peak_rss_bytes


def test_conditions_and_host_are_recorded(report):
    found = report.conditions
    assert found.affinity and len(found.load_average) == 3 and found.noisy == bool(found.warnings)
    assert report.host["versions"]["numpy"] == np.__version__ and report.kit_version


def test_the_document_is_read_back_as_it_was_written(report, tiny):
    document = json.loads((tiny / "reports" / "latency.json").read_text())
    assert report.to_json() == document and next(iter(document)) == "schema"
    assert report.rows[0].form is None, "what does not apply is null"


def test_any_file_can_be_timed(tiny, pocketrec, tmp_path):
    file = tiny / "converted" / "ranker-dynamic_int8.tflite"
    done = pocketrec(
        "latency", "--tflite", file, "--processes", 2, "--samples", 20, "--threads", 1, "--out", tmp_path / "out"
    )
    assert done.code == 0, done.err
    report = LatencyReport.from_json(read_json(tmp_path / "out" / "latency.json", LATENCY_SCHEMA))
    names = [name for name in PHONE_RUNTIMES if not RUNTIMES[name].missing()]
    assert [(row.runtime, row.n_samples, row.threads) for row in report.rows] == [(name, 40, 1) for name in names]
    assert all(row.p99_us is None and row.p50_us > 0 and row.inputs == "zeros" for row in report.rows)
    assert (tmp_path / "out" / report.rows[0].samples_file).is_file()
    assert file.stem in done.out and names[0] in done.out


def test_inputs_of_a_file_are_taken_from_an_npz(tiny, tmp_path):
    file = tiny / "converted" / "query_encoder-float32.tflite"
    variant = next(v for v in Run(tiny).variants if v.file == file.name)
    np.savez(tmp_path / "in.npz", **{port.name: np.zeros((3, *port.shape), port.dtype) for port in variant.inputs})
    counts = {"runtimes": [CURRENT_RUNTIME], "threads": [1], "processes": 1, "samples": 10}
    report = stage.measure_file(file, LatencyOptions(**counts), inputs=tmp_path / "in.npz")
    assert [row.inputs for row in report.rows] == ["file"] and report.rows[0].samples_file is None


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        ({"threads": [0]}, "VALUE_OUT_OF_RANGE", "--threads"),
        ({"threads": [4096]}, "VALUE_OUT_OF_RANGE", "--threads"),
        ({"samples": 0}, "VALUE_OUT_OF_RANGE", "--samples"),
        ({"processes": 0}, "VALUE_OUT_OF_RANGE", "--processes"),
        ({"targets": ["gpu/swiftshader"]}, "TARGET_UNTIMED", "--target"),
        ({"targets": ["arm64/cortex-a76"]}, "TARGET_UNTIMED", "--target"),
        ({"targets": ["gpu"]}, "NAME_UNKNOWN", "--target"),
        ({"runtimes": ["tflite"]}, "NAME_UNKNOWN", "--runtime"),
    ],
)
def test_bad_options_are_refused_before_anything_is_measured(tiny, given, code, named):
    with raises(code) as caught:
        stage.measure_run(Run(tiny), LatencyOptions(**given))
    assert named in str(caught.value)


def test_a_variant_that_changed_is_refused(own_tiny):
    (own_tiny / "converted" / "ranker-float32.tflite").write_bytes(b"other")
    with pytest.raises(Exception, match="ranker-float32"):
        stage.measure_run(Run(own_tiny))


def test_without_scipy_it_says_what_to_install(tiny, monkeypatch):
    """The small install has no SciPy, which the intervals need."""
    find_spec = options.util.find_spec
    monkeypatch.setattr(options.util, "find_spec", lambda name: None if name == "scipy" else find_spec(name))
    with raises("NOT_INSTALLED") as caught:
        stage.measure_file(tiny / "converted" / "ranker-float32.tflite")
    assert "pocketrec[bench]" in str(caught.value)


def test_without_any_phone_runtime_it_says_what_to_install(tiny, monkeypatch):
    bare = {name: replace(runtime, version="0") for name, runtime in RUNTIMES.items()}
    monkeypatch.setattr(options, "RUNTIMES", bare)
    with raises("NOT_INSTALLED"):
        stage.measure_file(tiny / "converted" / "ranker-float32.tflite")


def refusing(monkeypatch, names):
    """Let these runtimes refuse every file, by naming a module that is not there."""
    from pocketrec.runtimes import launch

    known = {
        name: replace(found, module="no_such_module") if name in names else found for name, found in RUNTIMES.items()
    }
    monkeypatch.setattr(launch, "RUNTIMES", known)


def test_a_runtime_that_refuses_the_file_leaves_the_others_numbers(tiny, monkeypatch, capsys):
    """And the command ends with 1, after it has shown them."""
    from pocketrec.cli.commands.latency import show_latency

    first, *others = PHONE_RUNTIMES
    refusing(monkeypatch, [first])
    file = tiny / "converted" / "ranker-float32.tflite"
    report = stage.measure_file(file, LatencyOptions([1], processes=2, samples=10))
    bad, *good = report.rows
    assert (bad.runtime, bad.status, bad.p50_us, bad.n_samples) == (first, "error", None, 0)
    assert "no_such_module" in bad.reason and [row.runtime for row in good] == others
    assert all(row.status == "measured" and row.n_processes == 2 for row in good)
    assert report.failures == [bad]
    show_latency(report)
    shown = capsys.readouterr().out
    assert f"error: {file.stem} on {first}" in shown and others[0] in shown


def test_a_file_that_no_runtime_executes_is_an_error(tiny, monkeypatch):
    refusing(monkeypatch, PHONE_RUNTIMES)
    with raises("WORKER_FAILED") as caught:
        stage.measure_file(tiny / "converted" / "ranker-float32.tflite", LatencyOptions([1], processes=1, samples=10))
    assert all(name in str(caught.value) for name in PHONE_RUNTIMES)
    assert "free dimensions (items [-1])" in str(caught.value) and "--inputs" in str(caught.value)


def test_the_key_of_a_runtime_is_only_a_name(tiny, monkeypatch):
    from pocketrec.cli.commands.latency import show_latency

    monkeypatch.setitem(RUNTIMES, "toy", RUNTIMES[CURRENT_RUNTIME])
    file = tiny / "converted" / "query_encoder-float32.tflite"
    report = stage.measure_file(file, LatencyOptions([1], runtimes=["toy"], processes=1, samples=10))
    assert [(row.runtime, row.status) for row in report.rows] == [("toy", "measured")]
    assert json.loads(json.dumps(report.to_json()))["results"][0]["runtime"] == "toy"
    show_latency(report)


def test_a_directory_that_holds_something_is_refused(tiny, tmp_path):
    (tmp_path / "x").touch()
    with raises("OUTPUT_EXISTS"):
        stage.measure_file(tiny / "converted" / "ranker-float32.tflite", out=tmp_path)


def test_options_that_exclude_each_other_are_one_line(pocketrec, tiny):
    assert "OPTION_CONFLICT" in refused(pocketrec("latency", tiny, "--tflite", "x.tflite"))


@pytest.mark.full
def test_the_demo_measures_every_variant_on_both_phone_runtimes(run):
    report = LatencyReport.from_json(read_json(run / "reports" / "latency.json", LATENCY_SCHEMA))
    graphs = {v.graph for v in Run(run).variants}
    per_variant = {graph: len(batch_sizes(graph)) + 2 for graph in graphs}  # a second thread, and without a delegate
    assert len(tflite(report)) == sum(per_variant.values()) * len(RECIPES) * len(PHONE_RUNTIMES)
    assert all(row.p99_us > row.p90_us > 0 for row in tflite(report))
    by_setup = {row.configuration: row.recall_at_k for row in report.rows if row.subject == "server/scann/savedmodel"}
    assert by_setup["brute_force"] == 1.0
    assert 0.3 < by_setup["tfrs_default"] < 0.95, "TFRS' defaults miss some of the catalogue's best"
