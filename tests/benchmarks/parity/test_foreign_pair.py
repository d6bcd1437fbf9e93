"""A SavedModel and a .tflite file that this kit did not make: lists are compared by the ids beside the output that ranks."""

import json
from typing import ClassVar

import numpy as np
import pytest
from pocketrec.benchmarks.parity.foreign_pair import check_foreign
from pocketrec.benchmarks.parity.judging.first_difference import side_by_side
from pocketrec.benchmarks.parity.judging.gates import FOREIGN, read_gates
from pocketrec.benchmarks.parity.judging.judge import Cell, judge
from pocketrec.benchmarks.parity.pair_answers import PairExpected, Ranking, saved_model_outputs
from pocketrec.convert.converter import convert_function
from pocketrec.core.records.agreement import Agreement
from pocketrec.runtimes.launch import Outcome
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES

from tests.conftest import raises
from tests.tiny import PACKAGED


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A SavedModel that returns 10 of 200 items as `found` and `scores`, a right .tflite file, and one of other items."""
    from pocketrec.train.tf import tf

    folder = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(0)
    items, queries = rng.normal(size=(200, 8)).astype(np.float32), rng.normal(size=(30, 8)).astype(np.float32)

    def module_of(table):
        module = tf.Module()
        module.table = tf.Variable(table)

        @tf.function
        def search(query):
            scores, ids = tf.math.top_k(tf.reshape(tf.matmul(query[None], module.table, transpose_b=True), [-1]), 10)
            return {"found": ids + 1000, "scores": scores}

        module.search = search
        return module, search.get_concrete_function(tf.TensorSpec([8], tf.float32, "query"))

    right, function = module_of(items)
    tf.saved_model.save(right, str(folder / "model"), signatures={"serving_default": function})
    (folder / "right.tflite").write_bytes(convert_function(right, function))
    moved = items.copy()
    moved[:40] = moved[39::-1]
    (folder / "moved.tflite").write_bytes(convert_function(*module_of(moved)))
    np.savez(folder / "queries.npz", query=queries)
    return folder


def parity(pair, file, **options):
    return check_foreign(pair / "model", pair / file, pair / "queries.npz", **options)


def test_the_same_lists_pass_with_ranking_metrics_on_every_runtime(pair, tmp_path):
    report = parity(pair, "right.tflite", out=tmp_path / "out", runtimes=PACKAGED)
    assert report.passed and len(report.rows) == sum(1 + RUNTIMES[name].chooses_delegate for name in PACKAGED)
    assert json.loads((tmp_path / "out" / "parity.json").read_text()) == json.loads(json.dumps(report.to_json()))
    assert len(list((tmp_path / "out" / "raw").iterdir())) == len(report.rows)
    for row in report.rows:
        found = row.metrics
        assert found.top_k_overlap == found.top1_agreement == found.rank_biased_overlap == 1.0
        assert found.overlap_at_10 == 1.0 and found.max_abs_diff is not None and found.max_abs_diff < 1e-5
        assert found.flips == 0 and found.quality_metric is None and row.edges == {} and row.n_queries == 30


def test_other_items_at_the_same_scores_are_seen_in_the_ids(pair, tmp_path):
    """Rows exchanged: every score is right, so only ids tell; other outputs than the list are compared by value as well."""
    (tmp_path / "gates.toml").write_text("[foreign.any]\ntop_k_overlap = 0.95\nreason = 'a test'\n")
    report = parity(pair, "moved.tflite", gates=tmp_path / "gates.toml", runtimes=[CURRENT_RUNTIME])
    row = report.failures[0]
    assert "top_k_overlap" in row.reason and row.metrics.top1_agreement is not None and row.metrics.top1_agreement < 1
    assert row.first_difference is not None and row.first_difference.user is None
    assert side_by_side(row.first_difference)[0].startswith("first to differ: row ")


def test_an_output_that_does_not_rank_is_refused(pair):
    with raises("NAME_UNKNOWN") as caught:
        parity(pair, "right.tflite", scores="found")
    assert "--scores" in str(caught.value)


def test_a_signature_with_other_inputs_than_the_file_is_refused():
    class Signature:
        specs: ClassVar = {"question": None}

    with raises("INPUT_MISMATCH"):
        saved_model_outputs(Signature(), {"query": np.zeros((3, 8), np.float32)})


def test_gates_without_one_for_foreign_pairs_are_refused(pair, tmp_path):
    (tmp_path / "gates.toml").write_text("[ranker.float32]\nkendall_tau = 0.9\nreason = 'a test'\n")
    with raises("GATES_INVALID"):
        parity(pair, "right.tflite", gates=tmp_path / "gates.toml")


@pytest.mark.full
def test_the_command_shows_what_differs_and_exits_1(pair, pocketrec, tmp_path):
    done = pocketrec(
        "parity",
        "--saved-model",
        pair / "model",
        "--tflite",
        pair / "moved.tflite",
        "--inputs",
        pair / "queries.npz",
        "--runtime",
        CURRENT_RUNTIME,
    )
    assert done.code == 1 and "first to differ: row" in done.out


VALUES = {"click": [np.array([0.0, 1.0]), np.array([0.5, 0.25])]}
CELL = Cell("score", "model", CURRENT_RUNTIME)


def judged(outputs):
    return judge(CELL, Outcome("", outputs), PairExpected.of(VALUES, None), read_gates().find(*FOREIGN))


def test_outputs_that_rank_nothing_are_compared_value_by_value():
    row = judged({"click": np.array([[0.0, 1.0], [0.5, 0.3]])})
    assert row.status == "fail" and row.metrics.max_abs_diff == pytest.approx(0.05)
    assert row.metrics.top_k_overlap is None and row.first_difference is None
    assert set(row.metrics.to_json()) == set(Agreement().to_json())


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"other": np.zeros((2, 2))}, "on one side only"),
        ({"click": np.zeros((2, 3))}, "4 values expected, 6 given"),
        ({"click": np.array([[0.0, 1.0], [np.inf, 0.25]])}, "NaN or infinity"),
    ],
)
def test_outputs_that_cannot_be_compared_are_an_error(outputs, reason):
    row = judged(outputs)
    assert row.status == "error" and reason in row.reason


def test_ids_are_the_output_called_so_or_the_only_one_of_whole_numbers():
    scores, ids, other = [np.zeros(3, np.float32)], [np.zeros(3, np.int32)], [np.zeros(3, np.int64)]
    assert Ranking.of({"scores": scores, "ids": ids, "n": other}, None) == Ranking("scores", "ids")
    assert Ranking.of({"scores": scores, "found": ids}, None) == Ranking("scores", "found")
    assert Ranking.of({"scores": scores, "a": ids, "b": other}, None) == Ranking("scores", None)
    assert Ranking.of({"click": scores}, None) is None
