"""The parity stage: which cells there are, what their rows say, and what is refused."""

import contextlib
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from pocketrec.benchmarks.parity import stage
from pocketrec.benchmarks.parity.judging.first_difference import side_by_side
from pocketrec.benchmarks.parity.rejudge import rejudge
from pocketrec.benchmarks.parity.stage import batches, check_parity, matrix_cells
from pocketrec.benchmarks.parity.stored_outputs import UNFINISHED
from pocketrec.convert.flatbuffer.operators import GraphEditor
from pocketrec.convert.stage import convert_run
from pocketrec.core.files.hashing import sha256_file
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.records.agreement import METRICS
from pocketrec.core.records.parity import ParityReport
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, RUNTIMES
from pocketrec.runtimes.targets import TARGETS
from scipy.sparse import csr_matrix
from scipy.stats import kendalltau, rankdata
from sklearn.metrics import max_error, ndcg_score, root_mean_squared_error

from tests.conftest import raises
from tests.tiny import PACKAGED
from tests.variants import change_variants


@contextlib.contextmanager
def one_by_one():
    """In place of the pool: cells in this thread, one after another."""
    yield SimpleNamespace(map=map)


@pytest.fixture(scope="module")
def report(tiny):
    return ParityReport.read(Run(tiny))


def test_every_variant_passed_on_every_runtime_for_every_held_out_user(tiny, report):
    with np.load(tiny / "trained" / "heldout.npz") as held:
        users = len(np.unique(held["user"]))
    found = {(row.graph, row.recipe, row.runtime, row.delegate): row for row in report.rows}
    kinds = [(name, kind) for name in PHONE_RUNTIMES for kind in ("xnnpack", "none")]
    assert set(found) == {(v.graph, v.recipe, *k) for v in Run(tiny).variants for k in kinds}
    assert len(found) == len(report.rows) and report.passed
    for row in found.values():
        assert (row.status, row.target, row.n_queries) == ("pass", "host", users)
        assert row.tolerance["reason"] and row.first_difference is None and len(row.outputs_sha256 or "") == 64
        assert set(row.edges) == set(HeldOut(Run(tiny)).edges) and not any(e.reason for e in row.edges.values())


def test_every_row_of_the_json_has_every_metric(tiny):
    document = json.loads((tiny / "reports" / "parity.json").read_text())
    for row in document["results"]:
        assert set(row["metrics"]) == set(METRICS)


def test_metrics_are_those_of_the_stored_raw_outputs(tiny, report):
    """Recomputed with other libraries (SciPy, scikit-learn) from what was stored."""
    with np.load(tiny / "trained" / "heldout.npz") as held:
        truth = held["rating"][np.lexsort((held["timestamp"], held["user"]))].astype(float)
    with np.load(tiny / "reports" / "reference.npz") as reference:
        expected = reference["rating"].astype(float)
    low, high = Run(tiny).record.data.rating_range
    for row in (row for row in report.rows if row.graph == "ranker" and row.delegate == "xnnpack"):
        with np.load(tiny / "reports" / "raw" / f"ranker-{row.recipe}@{row.runtime}.npz") as raw:
            got = raw["rating"][: len(truth)]  # edge cases come after the users
        assert row.metrics.max_abs_diff == float(max_error(expected, got.astype(float)))
        error = root_mean_squared_error(truth, np.clip(got, low, high).astype(float))
        assert row.metrics.quality_variant == pytest.approx(error, rel=1e-12)


def test_list_metrics_are_those_of_the_stored_raw_outputs(tiny, report):
    n_items = len(HeldOut(Run(tiny)).items)
    with np.load(tiny / "trained" / "heldout.npz") as held, np.load(tiny / "trained" / "history.npz") as seen:
        users, shape = np.unique(held["user"]), (int(held["user"].max()) + 1, n_items)
        truth = csr_matrix((np.ones(len(held["user"])), (held["user"], held["item"])), shape)[users].toarray() > 0
        shape = (int(seen["user"].max()) + 1, n_items)
        known = csr_matrix((np.ones(len(seen["user"])), (seen["user"], seen["item"])), shape)[users]
    with np.load(tiny / "reports" / "reference.npz") as reference:
        scores = np.where(known.toarray() > 0, -np.inf, reference["scores"])
    for recipe in ("float32", "dynamic_int8", "int4_rows"):
        row = next(row for row in report.rows if (row.graph, row.recipe) == ("retriever", recipe))
        with np.load(tiny / "reports" / "raw" / f"retriever-{recipe}@{row.runtime}.npz") as raw:
            ids, got = raw["ids"][: len(users)], raw["scores"][: len(users)]
        lists, rows, k = row.metrics, range(len(users)), ids.shape[1]
        recall = np.mean([truth[u, ids[u]].sum() / truth[u].sum() for u in rows])
        assert lists.quality_variant == pytest.approx(recall, rel=1e-12)
        best = rankdata(-scores, axis=1, method="ordinal") <= k
        assert lists.top_k_overlap == pytest.approx(np.mean([best[u, ids[u]].sum() / k for u in rows]), rel=1e-12)
        shown = [np.isfinite(scores[u, ids[u]]) for u in rows]
        tau = np.mean([kendalltau(scores[u, ids[u]][shown[u]], got[u][shown[u]]).statistic for u in rows])
        assert lists.kendall_tau == pytest.approx(tau, rel=1e-9)
        order = np.zeros_like(scores)
        np.put_along_axis(order, ids, np.arange(k, 0, -1.0)[None], axis=1)
        assert lists.ndcg_at_10 == pytest.approx(ndcg_score(truth, order, k=10), rel=1e-12)


def test_quality_of_the_reference_is_what_training_reported(tiny, report):
    trained = Run(tiny).record.metrics
    reported = {row.graph: row.metrics.quality_reference for row in report.rows}
    assert reported["ranker"] == pytest.approx(trained["ranking"]["rmse"], abs=1e-6)
    assert reported["retriever"] == pytest.approx(trained["retrieval_rated"]["recall_at_100"], abs=1e-6)


def test_a_gate_that_is_missed_exits_1_and_shows_both_lists(stored, pocketrec, tmp_path):
    run, gates = stored("retriever", "float32", "int4_rows"), tmp_path / "gates.toml"
    gates.write_text("[retriever.int4_rows]\ntop_k_overlap = 1.0\nreason = 'impossible'\n")
    done = pocketrec("parity", run.root, "--rejudge", "--gates", gates)
    assert done.code == 1 and "top_k_overlap" in done.out and "no gate for retriever.float32" in done.out
    row = next(row for row in ParityReport.read(run).rows if row.recipe == "int4_rows")
    assert row.first_difference is not None and row.first_difference.user in HeldOut(run).users
    assert len(row.first_difference.reference) == len(row.first_difference.variant) == 10
    assert all(line.strip() in done.out for line in side_by_side(row.first_difference))


def test_judging_again_excludes_what_would_run_something(tiny, pocketrec):
    done = pocketrec("parity", tiny, "--rejudge", "--refresh-reference")
    assert done.code == 2 and done.err.rstrip().endswith("[OPTION_CONFLICT]")


def test_reference_of_another_run_is_an_error_not_a_low_score(cut):
    run = cut("ranker", "float32")
    path = run.trained / "vocabularies" / "items.txt"
    path.write_text(path.read_text().replace("\n", "x\n", 1))
    with raises("INPUT_CHANGED"):
        check_parity(run)


def test_a_variant_that_is_missing_or_changed_since_conversion_is_refused(cut):
    run = cut("ranker", "float32")
    path = run.converted / "ranker-float32.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with raises("INPUT_CHANGED"):
        check_parity(run)
    path.unlink()
    with raises("INPUT_CHANGED"):
        check_parity(run)


def test_outputs_of_nan_are_an_error_row(cut):
    run = cut("ranker", "float32")
    path = run.converted / "ranker-float32.tflite"
    editor = GraphEditor(path.read_bytes())
    for index in range(len(editor.graph.tensors)):
        values = editor.constant(index)
        if values is not None and values.dtype == np.float32 and values.ndim == 2:
            buffer = editor.model.buffers[editor.tensor(index).buffer]
            buffer.data = np.full_like(values, np.nan).view(np.uint8).reshape(-1)
    path.write_bytes(editor.pack())
    change_variants(run, lambda known: [replace(known[0], sha256=sha256_file(path))])
    report = check_parity(run, runtimes=[CURRENT_RUNTIME])
    assert len(report.failures) == len(report.rows) == 2
    for row in report.rows:
        assert row.status == "error" and "NaN" in row.reason and row.outputs_sha256 is not None
    assert rejudge(run).rows == report.rows


def test_cells_share_an_import_but_no_process_and_a_file_that_fails_fails_alone(cut):
    run = cut("ranker", "float32", "float16", "dynamic_int8")
    path = run.converted / "ranker-float16.tflite"
    path.write_bytes(path.read_bytes()[:1000])
    broken = sha256_file(path)
    change_variants(run, lambda known: [replace(v, sha256=broken) if v.file == path.name else v for v in known])
    report = check_parity(run, runtimes=[CURRENT_RUNTIME])
    assert [(row.recipe, row.delegate, row.status) for row in report.rows] == [
        (recipe, delegate, "error" if recipe == "float16" else "pass")
        for recipe in ("float32", "float16", "dynamic_int8")
        for delegate in ("xnnpack", "none")
    ]


def test_an_interrupted_run_is_resumed_without_running_anything_twice(cut, monkeypatch):
    run = cut("ranker", "float32", "float16", "dynamic_int8")
    whole = check_parity(run, runtimes=PHONE_RUNTIMES)
    (run.reports / "parity.json").unlink()
    for path in (run.reports / "raw").iterdir():
        path.unlink()
    ran: list[str] = []

    def interrupted(judged, batch, timeout_s):
        if ran:
            raise KeyboardInterrupt
        return counted(judged, batch, timeout_s)

    def counted(judged, batch, timeout_s):
        ran.extend(cell.label for _, cell in batch)
        return run_batch(judged, batch, timeout_s)

    run_batch = stage._run_batch
    monkeypatch.setattr(stage, "side_by_side", one_by_one)
    monkeypatch.setattr(stage, "_run_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_parity(run, runtimes=PHONE_RUNTIMES)
    assert len(ran) == 6 and not (run.reports / "parity.json").exists()
    monkeypatch.setattr(stage, "_run_batch", counted)
    resumed = check_parity(run, runtimes=PHONE_RUNTIMES, resume=True)
    assert resumed.rows == whole.rows and len(ran) == len(set(ran)) == 12
    assert check_parity(run, runtimes=PHONE_RUNTIMES, resume=True).rows == whole.rows and len(ran) == 12
    assert not (run.reports / UNFINISHED).exists()


def test_what_changed_since_is_run_again(cut, monkeypatch):
    run = cut("ranker", "float32", "dynamic_int8")
    check_parity(run, runtimes=[CURRENT_RUNTIME])
    ran: list[str] = []
    run_batch = stage._run_batch

    def counted(judged, batch, timeout_s):
        ran.extend(cell.label for _, cell in batch)
        return run_batch(judged, batch, timeout_s)

    monkeypatch.setattr(stage, "_run_batch", counted)
    damaged = run.reports / "raw" / f"ranker-float32@{CURRENT_RUNTIME}.npz"
    with np.load(damaged) as archive:
        arrays = {name: archive[name] + 1 for name in archive.files}
    np.savez(damaged, **arrays)
    assert check_parity(run, runtimes=[CURRENT_RUNTIME], resume=True).passed
    assert ran == [damaged.stem]
    change_variants(run, lambda known: known[:1])
    assert check_parity(run, runtimes=[CURRENT_RUNTIME], resume=True).passed
    assert len(ran) == 3, "a report of other variants is not resumed"


def test_batches_hold_one_runtime_on_one_target_and_a_browser_shares_none(tiny):
    names = [CURRENT_RUNTIME, *(name for name, runtime in RUNTIMES.items() if not runtime.forks)]
    variants = list(Run(tiny).variants)
    asked = [(v, cell) for v in variants for cell in matrix_cells(v.graph, v.recipe, names, list(TARGETS))]
    found = batches(asked)
    assert sorted(cell.label for batch in found for _, cell in batch) == sorted(cell.label for _, cell in asked)
    for batch in found:
        places = {(cell.runtime, cell.target) for _, cell in batch}
        assert len(places) == 1 and len(batch) <= 8
        (runtime, target) = places.pop()
        assert len(batch) == 1 or (RUNTIMES[runtime].forks and not TARGETS[target].accelerator)
    assert max(map(len, found)) == 8


def test_a_runtime_that_is_asked_for_but_missing_is_refused(cut, monkeypatch):
    monkeypatch.setitem(RUNTIMES, PHONE_RUNTIMES[0], replace(RUNTIMES[PHONE_RUNTIMES[0]], package="no-such-package"))
    with raises("NOT_INSTALLED"):
        check_parity(cut("ranker", "float32"), runtimes=[PHONE_RUNTIMES[0]])


def test_a_runtime_that_is_missing_but_not_asked_for_is_a_skipped_row(cut, monkeypatch, tmp_path):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "nothing"))
    for name in PACKAGED:
        if name != CURRENT_RUNTIME:
            monkeypatch.setitem(RUNTIMES, name, replace(RUNTIMES[name], package="no-such-package"))
    rows = check_parity(cut("ranker", "float32")).rows
    assert {(row.runtime, row.status) for row in rows} == {
        (name, "pass" if name == CURRENT_RUNTIME else "skipped") for name in PACKAGED
    }
    assert all("pip install" in row.reason for row in rows if row.status == "skipped")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"runtimes": ["litert-2.3"]}, "NAME_UNKNOWN"),
        ({"targets": ["arm65"]}, "NAME_UNKNOWN"),
        ({"require": ["arm65"]}, "NAME_UNKNOWN"),
    ],
)
def test_unknown_names_are_refused(tiny, options, code):
    with raises(code):
        check_parity(Run(tiny), **options)


@pytest.mark.full
def test_k_may_be_the_whole_catalogue(tiny, tmp_path):
    run = Run(shutil.copytree(tiny, tmp_path / "run"))
    n_items = len(HeldOut(run).items)
    convert_run(run, graphs=["retriever", "recommender"], recipes=["float32", "dynamic_int8"], k=n_items)
    report = check_parity(run, runtimes=PHONE_RUNTIMES)
    assert report.passed, [row.reason for row in report.failures]
    with np.load(run.reports / "raw" / f"retriever-dynamic_int8@{CURRENT_RUNTIME}.npz") as raw:
        assert raw["ids"].shape[1] == n_items and np.array_equal(np.sort(raw["ids"][0]), np.arange(n_items))
