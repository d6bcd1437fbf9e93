"""SavedModels that this kit did not train, among them the model kinds of TFRS' own tutorials."""

import json

import numpy as np
import pytest
from pocketrec.convert.converter import convert_function
from pocketrec.convert.quantize.recipes import RECIPES

from tests.conftest import refused

NEEDING_DATA = [name for name, recipe in RECIPES.items() if recipe.activations]


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
    hashing.f = tf.function(lambda name: {"bucket": tf.strings.to_hash_bucket_fast(name, 10, name="name_hash/bucket")})
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


def converted(pocketrec, model, signature, out, *, representative=None):
    data = ["--representative", representative] if representative else []
    done = pocketrec("convert", "--saved-model", model, "--signature", signature, "--out", out, *data)
    assert done.code == 0, done.err
    return {row["recipe"]: row for row in json.loads((out / "variants.json").read_text())["variants"]}


def statuses(pocketrec, model, signature, tflite, inputs, out):
    done = pocketrec(
        "parity", "--saved-model", model, "--signature", signature, "--tflite", tflite, "--inputs", inputs, "--out", out
    )  # fmt: skip
    assert done.code in (0, 1), done.err
    return [(row["status"], row["n_queries"]) for row in json.loads((out / "parity.json").read_text())["results"]]


def test_foreign_model_converts_and_holds_parity(foreign, pocketrec, tmp_path):
    out = tmp_path / "out"
    rows = converted(pocketrec, foreign / "numeric", "score", out, representative=foreign / "inputs.npz")
    assert [row["file"] for row in rows.values()] == [f"score-{recipe}.tflite" for recipe in RECIPES]
    assert all(row["refusals"] == [] for row in rows.values())
    assert rows["dynamic_int8"]["table_bytes"] == {"int8": 500 * 16 + 64 * 20}
    for recipe in RECIPES:
        report = tmp_path / recipe
        found = statuses(
            pocketrec, foreign / "numeric", "score", out / f"score-{recipe}.tflite", foreign / "inputs.npz", report
        )
        assert found == [("pass", 20)] * 6
        assert (report / "raw" / "litert-2.3.0.npz").is_file()


def test_without_representative_data_recipes_that_need_it_are_left_out_and_refused_by_name(
    foreign, pocketrec, tmp_path
):
    rows = converted(pocketrec, foreign / "numeric", "score", tmp_path / "out")
    assert list(rows) == [recipe for recipe in RECIPES if recipe not in NEEDING_DATA]
    line = refused(
        pocketrec(
            "convert", "--saved-model", foreign / "numeric", "--recipe", "static_int8", "--out", tmp_path / "more"
        )
    )
    assert "--representative: expected an .npz of representative inputs for static_int8" in line
    assert not (tmp_path / "more").exists()


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
    (tmp_path / "other.tflite").write_bytes(convert_function(other, other.f.get_concrete_function(*specs)))
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
        ("hashed", [], "tf.StringToHashBucketFast in name_hash"),
    ],
)
def test_foreign_models_that_cannot_be_converted_are_one_line(foreign, pocketrec, tmp_path, model, extra, said):
    assert said in refused(pocketrec("convert", "--saved-model", foreign / model, "--out", tmp_path / "out", *extra))
    assert not (tmp_path / "out").exists()


BAD_INPUTS = [
    ({"item": np.zeros(3, np.int32)}, "arrays named ['item', 'price']"),
    ({"item": np.zeros(3, np.int64), "price": np.zeros((3, 4), np.float32)}, "dtype int32"),
    ({"item": np.zeros(3, np.int32), "price": np.zeros((3, 5), np.float32)}, "shape [n, any, 4]"),
    ({"item": np.zeros(3, np.int32), "price": np.zeros((2, 4), np.float32)}, "same number of queries"),
]


@pytest.mark.parametrize(("arrays", "said"), BAD_INPUTS)
def test_inputs_that_do_not_fit_are_one_line(foreign, pocketrec, tmp_path, arrays, said):
    converted(pocketrec, foreign / "numeric", "score", tmp_path / "out")
    np.savez(tmp_path / "bad.npz", **arrays)
    file = tmp_path / "out" / "score-float32.tflite"
    assert said in refused(pocketrec("latency", "--tflite", file, "--inputs", tmp_path / "bad.npz"))


ONE = (
    {"item": np.zeros(1, np.int32), "price": np.zeros((1, 4), np.float32)},
    "at least 2 queries, better hundreds, got 1",
)


@pytest.mark.parametrize(("arrays", "said"), [*BAD_INPUTS, ONE])
def test_representative_data_that_do_not_fit_are_one_line_and_nothing_is_written(
    foreign, pocketrec, tmp_path, arrays, said
):
    np.savez(tmp_path / "bad.npz", **arrays)
    line = refused(
        pocketrec(
            "convert",
            "--saved-model",
            foreign / "numeric",
            "--representative",
            tmp_path / "bad.npz",
            "--out",
            tmp_path / "out",
        )
    )
    assert said in line and "--representative" in line
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def tutorials(tmp_path_factory):
    """TFRS' tutorials, small and untrained: retrieval with text features, multi-task, DCN ranking."""
    from tests.convert.tfrs_tutorials import build

    folder = tmp_path_factory.mktemp("tutorials")
    build(folder)
    return folder


@pytest.mark.parametrize(
    ("model", "signature", "traps"),
    [
        ("text_retrieval", "query", {"string-table"}),
        ("multi_task", "serving_default", {"string-table"}),
        ("dcn", "by_id", set()),
    ],
)
def test_models_of_tfrs_tutorials_run_everywhere_and_hold_parity(
    tutorials, pocketrec, tmp_path, model, signature, traps
):
    out, inputs = tmp_path / "out", tutorials / f"{model}.npz"
    rows = converted(pocketrec, tutorials / model, signature, out, representative=inputs)
    assert set(rows) == set(RECIPES)
    for recipe, row in rows.items():
        assert row["refusals"] == [] and len(row["runs_on"]) == 2, (recipe, row["refusals"])
        assert {trap["trap"] for trap in row["traps"]} - {"reference-kernel"} == traps
        if recipe != "int4_rows":
            found = statuses(pocketrec, tutorials / model, signature, out / row["file"], inputs, tmp_path / recipe)
            assert found == [("pass", 40)] * 6, recipe
    assert "float32" not in rows["dynamic_int8"]["table_bytes"] or rows["dynamic_int8"]["table_bytes"]["float32"] < 4096
    assert rows["dynamic_int8"]["size_bytes"] < 0.5 * rows["float32"]["size_bytes"]


@pytest.mark.parametrize(
    ("model", "signature", "op", "layer"),
    [
        ("text_retrieval", "candidate", "tf.StringSplitV2", "title_text"),
        ("dcn", "serving_default", "tf.LookupTableFindV2", "user_gender_lookup"),
    ],
)
def test_ops_tflite_lacks_are_named_with_their_layer_and_the_way_out(
    tutorials, pocketrec, tmp_path, model, signature, op, layer
):
    done = pocketrec("convert", "--saved-model", tutorials / model, "--signature", signature, "--out", tmp_path / "out")
    line = refused(done)
    assert any(op in part and layer in part for part in line.split(", ")), line
    assert "keyed by int32 ids" in line and "--allow-select-tf-ops" in line
    assert not (tmp_path / "out").exists()


def test_select_tf_ops_enter_only_when_allowed_and_are_reported(tutorials, pocketrec, tmp_path):
    out = tmp_path / "out"
    done = pocketrec(
        "convert", "--saved-model", tutorials / "text_retrieval", "--signature", "candidate", "--recipe", "dynamic_int8",
        "--out", out, "--allow-select-tf-ops",
    )  # fmt: skip
    assert done.code == 0, done.err
    (row,) = json.loads((out / "variants.json").read_text())["variants"]
    assert row["runs_on"] == [] and all("FlexStringLower" in reason for reason in row["refusals"])
    assert "select-tf-ops" in {trap["trap"] for trap in row["traps"]}
    assert pocketrec("inspect", out / row["file"], "--fail-on", "trap").code == 1
