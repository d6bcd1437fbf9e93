"""A stranger's retriever: its lists are compared as lists, by the ids beside the output that ranks."""

import json

import numpy as np
import pytest
from pocketrec.convert.converter import convert_function

from tests.conftest import refused


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


def parity(pocketrec, pair, file, *more):
    return pocketrec(
        "parity", "--saved-model", pair / "model", "--tflite", pair / file, "--inputs", pair / "queries.npz", *more
    )


def test_the_same_lists_pass_with_ranking_measures(pocketrec, pair):
    done = parity(pocketrec, pair, "right.tflite", "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["results"]
    assert len(rows) == 6
    for row in rows:
        metrics = row["metrics"]
        assert metrics["top_k_overlap"] == metrics["top1_agreement"] == metrics["rank_biased_overlap"] == 1.0
        assert metrics["overlap_at_10"] == 1.0 and metrics["max_abs_diff"] < 1e-5 and metrics["flips"] == 0


def test_other_items_at_the_same_scores_are_seen_in_the_ids(pocketrec, pair, tmp_path):
    """Rows exchanged: every score is right, so only ids tell; other outputs than the list are compared by value as well."""
    (tmp_path / "gates.toml").write_text("[foreign.any]\ntop_k_overlap = 0.95\nreason = 'a test'\n")
    done = parity(pocketrec, pair, "moved.tflite", "--gates", tmp_path / "gates.toml", "--runtime", "litert-2.3.0")
    assert done.code == 1 and "top_k_overlap 0." in done.out and "is below 0.95" in done.out
    assert "first to differ: row" in done.out and " 10" in done.out
    done = parity(pocketrec, pair, "moved.tflite", "--runtime", "litert-2.3.0", "--json")
    assert done.code == 1 and json.loads(done.out)["results"][0]["metrics"]["top1_agreement"] < 1


def test_an_output_that_does_not_rank_is_one_line(pocketrec, pair):
    said = refused(parity(pocketrec, pair, "right.tflite", "--scores", "found"))
    assert "--scores: expected an output of several floats: scores" in said
