import json

import numpy as np
import pytest
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.convert.stage import convert_run
from pocketrec.core.documents import write_json
from pocketrec.core.hashing import sha256_file
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import RUNTIMES, Runtime
from scipy.sparse import csr_matrix
from scipy.stats import kendalltau, rankdata
from sklearn.metrics import max_error, ndcg_score, root_mean_squared_error

from tests.conftest import refused

FIELDS = {
    "max_abs_diff", "mean_abs_diff", "top_k_overlap", "top1_agreement", "kendall_tau", "quality_reference", "quality_variant",
    "quality_delta", "quality_metric",
}  # fmt: skip

HOST_RUNTIMES = ("tflite-runtime-2.14.0", "litert-2.3.0", "tf-2.18.1")


@pytest.fixture(scope="module")
def document(run):
    return json.loads((run / "reports" / "parity.json").read_text())


def test_every_variant_passed_on_every_runtime_for_every_held_out_user(run, document):
    variants = Run(run).variants_json["variants"]
    with np.load(run / "trained" / "heldout.npz") as held:
        users = len(np.unique(held["user"]))
    got = {(r["graph"], r["recipe"], r["runtime"], r["delegate"]): r for r in document["results"]}
    kinds = [(runtime, delegate) for runtime in HOST_RUNTIMES for delegate in ("xnnpack", "none")]
    assert set(got) == {(v["graph"], v["recipe"], *kind) for v in variants for kind in kinds}
    for row in got.values():
        assert (row["status"], row["target"], row["n_queries"]) == ("pass", "host", users)
        assert set(row["metrics"]) >= FIELDS and row["tolerance"]["reason"]


def test_metrics_are_those_of_the_stored_raw_outputs(run, document):
    """Recomputed with other libraries (SciPy, scikit-learn) from what was stored."""
    with np.load(run / "trained" / "heldout.npz") as held:
        truth = held["rating"][np.lexsort((held["timestamp"], held["user"]))]
    with np.load(run / "reports" / "reference.npz") as reference:
        expected = reference["rating"]
    for row in (r for r in document["results"] if r["graph"] == "ranker" and r["delegate"] == "xnnpack"):
        with np.load(run / "reports" / "raw" / f"ranker-{row['recipe']}@{row['runtime']}.npz") as raw:
            got = raw["rating"][: len(truth)]  # edges come after the users
        assert row["metrics"]["max_abs_diff"] == float(max_error(expected.astype(float), got.astype(float)))
        error = root_mean_squared_error(truth.astype(float), np.clip(got, 1, 5).astype(float))
        assert row["metrics"]["quality_variant"] == pytest.approx(error, rel=1e-12)


def test_list_metrics_are_those_of_the_stored_raw_outputs(run, document):
    with np.load(run / "trained" / "heldout.npz") as held, np.load(run / "trained" / "history.npz") as seen:
        users, shape = np.unique(held["user"]), (int(held["user"].max()) + 1, 1682)
        truth = csr_matrix((np.ones(len(held["user"])), (held["user"], held["item"])), shape)[users].toarray() > 0
        known = csr_matrix((np.ones(len(seen["user"])), (seen["user"], seen["item"])), (max(users) + 1, 1682))[users]
    with np.load(run / "reports" / "reference.npz") as reference:
        scores = np.where(known.toarray() > 0, -np.inf, reference["scores"])
    for recipe in ("float32", "dynamic_int8", "int4_rows"):
        row = next(r for r in document["results"] if (r["graph"], r["recipe"]) == ("retriever", recipe))
        with np.load(run / "reports" / "raw" / f"retriever-{recipe}@{row['runtime']}.npz") as raw:
            ids, got = raw["ids"][: len(users)], raw["scores"][: len(users)]
        lists, rows = row["metrics"], range(len(users))
        recall = np.mean([truth[u, ids[u]].sum() / truth[u].sum() for u in rows])
        assert lists["quality_variant"] == pytest.approx(recall, rel=1e-12)
        best = rankdata(-scores, axis=1, method="ordinal") <= 100
        assert lists["top_k_overlap"] == pytest.approx(np.mean([best[u, ids[u]].sum() / 100 for u in rows]), rel=1e-12)
        tau = np.mean([kendalltau(scores[u, ids[u]], got[u]).statistic for u in rows])
        assert lists["kendall_tau"] == pytest.approx(tau, rel=1e-9)
        order = np.zeros_like(scores)
        np.put_along_axis(order, ids, np.arange(100, 0, -1.0)[None], axis=1)
        assert lists["ndcg_at_10"] == pytest.approx(ndcg_score(truth, order, k=10), rel=1e-12)


def test_reference_rmse_is_the_one_training_reported(run, document):
    row = next(r for r in document["results"] if r["graph"] == "ranker")
    assert row["metrics"]["quality_reference"] == pytest.approx(
        Run(run).run_json["metrics"]["ranking"]["rmse"], abs=1e-6
    )
    row = next(r for r in document["results"] if r["graph"] == "retriever")
    assert row["metrics"]["quality_reference"] == pytest.approx(
        Run(run).run_json["metrics"]["retrieval"]["recall_at_100"], abs=1e-6
    )


def test_a_gate_that_is_missed_exits_1_and_says_what(own_run, pocketrec, tmp_path):
    (tmp_path / "gates.toml").write_text("[ranker.dynamic_int8]\nmax_abs_diff = 1e-9\nreason = 'impossible'\n")
    done = pocketrec("parity", own_run, "--runtime", "litert-2.3.0", "--gates", tmp_path / "gates.toml")
    assert done.code == 1
    assert "max_abs_diff" in done.out and "above 1e-09" in done.out
    assert "no gate for ranker.float32" in done.out
    bundled = pocketrec("bundle", own_run, "--out", tmp_path / "bundle")
    assert "may not be bundled" in refused(bundled, code=1)
    assert not (tmp_path / "bundle").exists()


def test_swapped_vocabulary_rows_are_caught(own_run):
    """Ids that mean other films than the SavedModel's: nothing crashes, and every title is real."""
    path = own_run / "trained" / "vocabularies" / "items.txt"
    lines = path.read_text().split("\n")
    lines[:800] = reversed(lines[:800])
    path.write_text("\n".join(lines))
    results = check_parity(Run(own_run), runtimes=["litert-2.3.0"], refresh_reference=True).to_json()["results"]
    assert {row["status"] for row in results} == {"fail"}


def test_reference_of_another_run_is_an_error_not_a_low_score(own_run, pocketrec):
    path = own_run / "trained" / "vocabularies" / "items.txt"
    path.write_text(path.read_text().replace("\n1682\n", "\n1683\n"))
    assert "answers made from other files" in refused(pocketrec("parity", own_run))


def test_variant_changed_since_conversion_is_refused(own_run, pocketrec):
    path = own_run / "converted" / "ranker-float32.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "other bytes" in refused(pocketrec("parity", own_run))
    assert "other bytes" in refused(pocketrec("latency", own_run))
    path.unlink()
    assert "no such file" in refused(pocketrec("parity", own_run))


def test_output_of_nan_is_an_error_row(own_run):
    from pocketrec.convert.converter import convert_function
    from pocketrec.train.tf import tf

    document = Run(own_run).variants_json
    document["variants"] = [v for v in document["variants"] if (v["graph"], v["recipe"]) == ("ranker", "float32")]
    specs = {
        p["name"]: tf.TensorSpec([None if n < 0 else n for n in p["shape"]], p["dtype"], p["name"])
        for p in document["variants"][0]["inputs"]
    }
    nothing = lambda inputs: tf.add_n([0.0 * tf.reduce_sum(tf.cast(value, tf.float32)) for value in inputs.values()])  # noqa: E731
    module = tf.Module()
    module.f = tf.function(
        lambda **inputs: {"rating": tf.cast(inputs["items"], tf.float32) * tf.math.log(nothing(inputs) - 1.0)}
    )
    data = convert_function(module, module.f.get_concrete_function(**specs))
    (own_run / "converted" / "ranker-float32.tflite").write_bytes(data)
    document["variants"][0]["sha256"] = sha256_file(own_run / "converted" / "ranker-float32.tflite")
    write_json(own_run / "converted" / "variants.json", document)
    rows = check_parity(Run(own_run), runtimes=["litert-2.3.0"]).to_json()["results"]
    assert len(rows) == 2
    for row in rows:
        assert row["status"] == "error" and "NaN" in row["reason"]


def test_runtime_asked_for_but_missing_is_one_line(run, monkeypatch, pocketrec):
    from pocketrec.core.errors import InputError

    monkeypatch.setitem(RUNTIMES, "tflite-runtime-2.14.0", Runtime("no_such", "no-such-package", "2.14.0", "bench", ""))
    with pytest.raises(InputError, match=r"pip install 'pocketrec\[bench\]'"):
        check_parity(Run(run), runtimes=["tflite-runtime-2.14.0"])


def test_runtime_missing_but_not_asked_for_is_a_skipped_row_with_the_command(own_run, monkeypatch):
    monkeypatch.setitem(RUNTIMES, "tflite-runtime-2.14.0", Runtime("no_such", "no-such-package", "2.14.0", "bench", ""))
    convert_run(Run(own_run), graphs=["ranker"], recipes=["float32"])
    rows = check_parity(Run(own_run)).to_json()["results"]
    assert [(row["runtime"], row["status"]) for row in rows] == [
        ("tflite-runtime-2.14.0", "skipped"),
        ("litert-2.3.0", "pass"),
        ("litert-2.3.0", "pass"),
        ("tf-2.18.1", "pass"),
        ("tf-2.18.1", "pass"),
    ]
    assert "pip install 'pocketrec[bench]'" in rows[0]["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--runtime", "litert-2.3"], "did you mean litert-2.3.0?"),
        (["--target", "arm65"], "one of host"),
        (["--gates", "/nonexistent.toml"], "a TOML file"),
    ],
)
def test_bad_arguments_are_one_line(run, pocketrec, arguments, said):
    assert said in refused(pocketrec("parity", run, *arguments))
