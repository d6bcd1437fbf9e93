"""Conversion, on the demo's run and on SavedModels that this kit did not train."""

import json

import numpy as np
import pytest
from pocketrec.benchmarks.processes import run_variant
from pocketrec.benchmarks.reach import refusals
from pocketrec.convert.converter import convert_function
from pocketrec.convert.graphs import GRAPHS
from pocketrec.convert.recipes import RECIPES
from pocketrec.convert.stage import convert_run
from pocketrec.convert.tflite_file import read_tflite
from pocketrec.train.artifacts import Run, sha256_file
from pocketrec.train.errors import CheckFailed, InputError

from tests.conftest import refused


def variants(run):
    return {(row["graph"], row["recipe"]): row for row in Run(run).variants_json["variants"]}


@pytest.mark.parametrize("preset", ["pocket", "tutorial"])
def test_every_graph_of_a_preset_under_every_recipe_is_a_file_as_described(preset, request):
    run = request.getfixturevalue("run" if preset == "pocket" else "tutorial_run")
    rows = variants(run)
    offered = [graph for graph in GRAPHS if graph != "ranker_strings" or preset == "tutorial"]
    assert set(rows) == {(graph, recipe) for graph in offered for recipe in RECIPES}
    for row in rows.values():
        path = run / "converted" / row["file"]
        assert (path.stat().st_size, sha256_file(path)) == (row["size_bytes"], row["sha256"])
        assert row["min_runtime"]


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_variant_runs_on_both_runtimes_that_apps_ship(tutorial_run, graph):
    for recipe in RECIPES:
        assert refusals(tutorial_run / "converted" / f"{graph}-{recipe}.tflite") == []


def test_int8_is_small_and_keeps_no_float_table(run):
    rows = variants(run)
    for graph in ("ranker", "retriever"):
        int8 = rows[graph, "dynamic_int8"]
        assert "float-table" not in {trap["trap"] for trap in int8["traps"]}
        assert not any(op["name"] == "FULLY_CONNECTED" and op["version"] >= 12 for op in int8["ops"])
    assert rows["ranker", "dynamic_int8"]["size_bytes"] < 0.3 * rows["ranker", "float32"]["size_bytes"]


def test_id_keyed_files_carry_no_strings(run):
    for graph in ("ranker", "retriever"):
        assert b"Speed (1994)" not in (run / "converted" / f"{graph}-float32.tflite").read_bytes()


def test_cured_string_graph_gathers_int8_rows_before_dequantizing(tutorial_run):
    traps = {trap["trap"] for trap in variants(tutorial_run)["ranker_strings", "dynamic_int8"]["traps"]}
    assert traps == {"string-table"}


def test_retriever_masks_what_was_seen(tutorial_run):
    path = tutorial_run / "converted" / "retriever-dynamic_int8.tflite"
    n_items = Run(tutorial_run).run_json["data"]["n_items"]
    first = run_variant(
        path, {"user": np.array([[7]], np.int32), "seen": np.zeros((1, n_items), bool)}, runtime="litert-2.3.0"
    )
    mask = np.zeros((1, n_items), bool)
    mask[0, first.arrays["ids"][0, :50]] = True
    second = run_variant(path, {"user": np.array([[7]], np.int32), "seen": mask}, runtime="litert-2.3.0")
    assert second.arrays["ids"][0, :50].tolist() == first.arrays["ids"][0, 50:].tolist()


def test_one_graph_one_recipe_and_k(own_run, pocketrec):
    done = pocketrec("convert", own_run, "--graph", "retriever", "--recipe", "float32", "--k", 7)
    assert done.code == 0, done.err
    (row,) = Run(own_run).variants_json["variants"]
    assert row["outputs"] == [
        {"name": "ids", "shape": [7], "dtype": "int32"},
        {"name": "scores", "shape": [7], "dtype": "float32"},
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "int3"], "one of float32, float16, dynamic_int8"),
        (["--graph", "rankr"], "did you mean ranker?"),
        (["--k", "1683"], "1 to 1682"),
        (["--k", "0"], "1 to 1682"),
        (["--graph", "ranker_strings"], "one of ranker, retriever"),
        (["--saved-model", "x", "--out", "y"], "leave one out"),
    ],
)
def test_bad_arguments_are_one_line_and_leave_the_run_alone(run, pocketrec, arguments, said):
    before = sha256_file(run / "converted" / "variants.json")
    assert said in refused(pocketrec("convert", run, *arguments))
    assert sha256_file(run / "converted" / "variants.json") == before


def test_a_file_that_does_not_run_fails_the_conversion_and_leaves_the_old_ones(own_run):
    before = (own_run / "converted" / "variants.json").read_bytes()
    with pytest.raises(CheckFailed, match=r"ranker-float32\.tflite: planted; nothing was written"):
        convert_run(Run(own_run), graphs=["ranker"], recipes=["float32"], prove=lambda path: ["planted"])
    assert (own_run / "converted" / "variants.json").read_bytes() == before
    assert not list(own_run.glob(".converted*"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A SavedModel of somebody else's: free batch, two outputs, an embedding and a dense layer; and one with strings hashed."""
    from pocketrec.train.tf import tf

    folder = tmp_path_factory.mktemp("foreign")
    tf.keras.utils.set_random_seed(1)
    ids = tf.keras.Input([], dtype=tf.int32, name="item")
    price = tf.keras.Input([4], name="price")
    hidden = tf.keras.layers.Dense(64, activation="relu")(
        tf.concat([tf.keras.layers.Embedding(500, 16)(ids), price], axis=1)
    )
    outputs = {"click": tf.keras.layers.Dense(1)(hidden), "buy": tf.keras.layers.Dense(2)(hidden)}
    model = tf.keras.Model([ids, price], outputs)
    serve = tf.function(lambda item, price: model([item, price]))
    specs = (tf.TensorSpec([None], tf.int32, "item"), tf.TensorSpec([None, 4], tf.float32, "price"))
    tf.saved_model.save(model, str(folder / "numeric"), signatures={"score": serve.get_concrete_function(*specs)})
    hashing = tf.Module()
    hashing.f = tf.function(lambda name: {"bucket": tf.strings.to_hash_bucket_fast(name, 10)})
    tf.saved_model.save(
        hashing,
        str(folder / "hashed"),
        signatures={"serving_default": hashing.f.get_concrete_function(tf.TensorSpec([None], tf.string))},
    )
    tf.saved_model.save(tf.Module(), str(folder / "mute"))
    rng = np.random.default_rng(0)
    np.savez(
        folder / "inputs.npz",
        item=rng.integers(0, 500, 20, dtype=np.int32),
        price=rng.normal(size=(20, 4)).astype(np.float32),
    )
    return folder


def test_foreign_model_converts_and_holds_parity(foreign, pocketrec, tmp_path):
    done = pocketrec("convert", "--saved-model", foreign / "numeric", "--signature", "score", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "out" / "variants.json").read_text())["variants"]
    assert [row["file"] for row in rows] == [f"score-{recipe}.tflite" for recipe in RECIPES]
    assert all(row["refusals"] == [] for row in rows)
    for row in rows:
        report = tmp_path / row["recipe"]
        done = pocketrec(
            "parity", "--saved-model", foreign / "numeric", "--signature", "score", "--tflite", tmp_path / "out" / row["file"],
            "--inputs", foreign / "inputs.npz", "--out", report,
        )  # fmt: skip
        assert done.code == 0, done.out + done.err
        results = json.loads((report / "parity.json").read_text())["results"]
        assert [(r["status"], r["n_queries"]) for r in results] == [("pass", 20)] * 2
        assert (report / "raw" / "litert-2.3.0.npz").is_file()


def test_foreign_pair_that_disagrees_fails(foreign, pocketrec, tmp_path):
    from pocketrec.train.tf import tf

    other = tf.Module()
    other.f = tf.function(
        lambda item, price: {
            "click": tf.reduce_sum(price, 1, keepdims=True) + 1e3 * tf.cast(item, tf.float32)[:, None],
            "buy": price[:, :2],
        }
    )
    specs = (tf.TensorSpec([None], tf.int32, "item"), tf.TensorSpec([None, 4], tf.float32, "price"))
    (tmp_path / "other.tflite").write_bytes(
        convert_function(other, other.f.get_concrete_function(*specs), recipe="float32")
    )
    done = pocketrec(
        "parity",
        "--saved-model",
        foreign / "numeric",
        "--tflite",
        tmp_path / "other.tflite",
        "--inputs",
        foreign / "inputs.npz",
    )
    assert done.code == 1 and "max_diff_of_range" in done.out


@pytest.mark.parametrize(
    ("model", "extra", "said"),
    [
        ("nowhere", [], "expected a SavedModel directory"),
        ("mute", [], "with signatures"),
        ("numeric", ["--signature", "scor"], "did you mean score?"),
        ("hashed", [], "StringToHashBucketFast"),
    ],
)
def test_foreign_models_that_cannot_be_converted_are_one_line(foreign, pocketrec, tmp_path, model, extra, said):
    assert said in refused(pocketrec("convert", "--saved-model", foreign / model, "--out", tmp_path / "out", *extra))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"item": np.zeros(3, np.int32)}, "arrays named ['item', 'price']"),
        ({"item": np.zeros(3, np.int64), "price": np.zeros((3, 4), np.float32)}, "dtype int32"),
        ({"item": np.zeros(3, np.int32), "price": np.zeros((3, 5), np.float32)}, "shape [n, any, 4]"),
        ({"item": np.zeros(3, np.int32), "price": np.zeros((2, 4), np.float32)}, "same number of queries"),
    ],
)
def test_inputs_that_do_not_fit_are_one_line(foreign, pocketrec, tmp_path, arrays, said):
    from pocketrec.convert.stage import convert_foreign

    convert_foreign(foreign / "numeric", tmp_path / "out", recipes=["float32"])
    np.savez(tmp_path / "bad.npz", **arrays)
    line = refused(
        pocketrec("latency", "--tflite", tmp_path / "out" / "score-float32.tflite", "--inputs", tmp_path / "bad.npz")
    )
    assert said in line


def test_table_left_float_in_a_quantized_file_is_found(tmp_path):
    """A table read through a lookup that the converter cannot see into stays float32; our own graphs refuse such a file."""
    from pocketrec.convert.inspection import find_traps
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.table = tf.Variable(tf.random.normal([300, 64]))
    module.kernel = tf.Variable(tf.random.normal([64, 64]))
    module.f = tf.function(
        lambda x: {"y": tf.matmul(x, module.kernel) + tf.reduce_max(tf.cumsum(module.table), axis=0)}
    )
    data = convert_function(
        module, module.f.get_concrete_function(tf.TensorSpec([1, 64], tf.float32)), recipe="dynamic_int8"
    )
    (tmp_path / "x.tflite").write_bytes(data)
    tables = read_tflite(tmp_path / "x.tflite").tables()
    expected = any(t.dtype == "float32" and len(t.shape) > 1 for t in tables)
    assert expected == ("float-table" in {trap["trap"] for trap in find_traps(read_tflite(tmp_path / "x.tflite"))})


def test_unknown_recipe_is_said_before_anything_slow():
    with pytest.raises(InputError, match="--recipe"):
        convert_run(Run.__new__(Run), graphs=["ranker"], recipes=["int3"])
