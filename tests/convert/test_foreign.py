"""SavedModels that this kit did not train, among them the model kinds of TFRS' own tutorials."""

import json

import numpy as np
import pytest
from pocketrec.benchmarks.parity.foreign_pair import check_foreign
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.convert.stage import convert_foreign
from pocketrec.runtimes.inspection import inspect_model
from pocketrec.runtimes.npz_inputs import feeds_of_npz
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, runtime_of

from tests.conftest import raises
from tests.tiny import PACKAGED

NEEDING_DATA = [name for name, recipe in RECIPES.items() if recipe.needs_calibration]
PORTS = [{"name": "item", "shape": [-1], "dtype": "int32"}, {"name": "price", "shape": [-1, 4], "dtype": "float32"}]


def _save(folder, function, *specs):
    """Save a function of tensors as a SavedModel of one signature."""
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(function)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.f.get_concrete_function(*specs)})


def _pooled(values, row_splits):
    """The last value of the first row, and the sum of all: no runtime executes it where the first row is empty."""
    from pocketrec.train.tf import tf

    return {"last": tf.gather(values, row_splits[1:2] - 1), "sum": tf.reduce_sum(values)}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """SavedModels of another origin: a free batch with two outputs, hashed strings, no signature, a ragged input, float64."""
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
    _save(folder / "ragged", _pooled, tf.TensorSpec([None], tf.float32), tf.TensorSpec([None], tf.int64))
    _save(folder / "wide", lambda x: {"y": tf.linalg.inv(x)}, tf.TensorSpec([3, 3], tf.float64))
    np.savez(
        folder / "ragged.npz",
        values=np.arange(24, dtype=np.float32).reshape(4, 6),
        row_splits=np.array([[0, 2, 6], [0, 1, 6], [0, 3, 6], [0, 6, 6]]),
    )
    rng = np.random.default_rng(0)
    np.savez(
        folder / "inputs.npz",
        item=rng.integers(0, 500, 20, dtype=np.int32),
        price=rng.normal(size=(20, 4)).astype(np.float32),
    )
    return folder


def test_a_foreign_model_converts_and_holds_parity(foreign, tmp_path):
    out, inputs = tmp_path / "out", foreign / "inputs.npz"
    made = convert_foreign(foreign / "numeric", out, signature="score", representative=inputs)
    assert [variant.file for variant in made.variants] == [f"score-{recipe}.tflite" for recipe in RECIPES]
    assert made.to_json() == json.loads((out / "variants.json").read_text()) and not made.unusable
    rows = {variant.recipe: variant for variant in made.variants}
    assert rows["dynamic_int8"].table_bytes == {"int8": 500 * 16 + 64 * 20}
    for variant in made.variants:
        assert variant.runs_on == list(PHONE_RUNTIMES) and not variant.refusals
    for variant in (rows["dynamic_int8"], rows["int16x8"]):  # all of them: with the tutorials' models
        where = {"out": tmp_path / variant.recipe, "runtimes": PACKAGED}
        report = check_foreign(foreign / "numeric", out / variant.file, inputs, signature="score", **where)
        assert {(row.status, row.n_queries) for row in report.results} == {("pass", 20)}
        assert (tmp_path / variant.recipe / "raw" / f"{CURRENT_RUNTIME}.npz").is_file()


def test_without_representative_data_recipes_that_need_them_are_left_out_and_refused_by_name(foreign, tmp_path):
    made = convert_foreign(foreign / "numeric", tmp_path / "out", signature="score")
    assert [variant.recipe for variant in made.variants] == [name for name in RECIPES if name not in NEEDING_DATA]
    with raises("OPTION_MISSING") as caught:
        convert_foreign(foreign / "numeric", tmp_path / "more", recipes=["static_int8"])
    assert "--representative" in str(caught.value) and not (tmp_path / "more").exists()


def test_a_foreign_pair_that_disagrees_fails(foreign, tmp_path):
    from pocketrec.train.tf import tf

    from tests.convert.models import converted

    def other(item, price):
        return {
            "click": tf.reduce_sum(price, 1, keepdims=True) + 1e3 * tf.cast(item, tf.float32)[:, None],
            "buy": price[:, :2],
        }

    specs = (tf.TensorSpec([None], tf.int32, "item"), tf.TensorSpec([None, 4], tf.float32, "price"))
    (tmp_path / "other.tflite").write_bytes(converted(other, *specs))
    report = check_foreign(foreign / "numeric", tmp_path / "other.tflite", foreign / "inputs.npz")
    assert {row.status for row in report.results} == {"fail"}


@pytest.mark.parametrize(
    ("model", "signature", "code", "said"),
    [
        ("nowhere", None, "INPUT_MISSING", "nowhere"),
        ("mute", None, "SIGNATURE_UNKNOWN", "signatures"),
        ("numeric", "scor", "NAME_UNKNOWN", "score?"),
        ("hashed", None, "MODEL_UNSUPPORTED", "tf.StringToHashBucketFast in name_hash"),
        ("wide", None, "MODEL_UNSUPPORTED", "x is float64"),
    ],
)
def test_models_that_cannot_be_converted_are_refused_with_what_to_do(foreign, tmp_path, model, signature, code, said):
    with raises(code) as caught:
        convert_foreign(foreign / model, tmp_path / "out", signature=signature)
    assert said in str(caught.value) and not (tmp_path / "out").exists()


BAD_INPUTS = [
    {"item": np.zeros(3, np.int32)},
    {"item": np.zeros(3, np.int64), "price": np.zeros((3, 4), np.float32)},
    {"item": np.zeros(3, np.int32), "price": np.zeros((3, 5), np.float32)},
    {"item": np.zeros(3, np.int32), "price": np.zeros((2, 4), np.float32)},
]


@pytest.mark.parametrize("arrays", BAD_INPUTS)
def test_inputs_that_do_not_fit_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "bad.npz", **arrays)
    with raises("INPUT_MISMATCH") as caught:
        feeds_of_npz(tmp_path / "bad.npz", PORTS, "--inputs")
    assert "--inputs" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "code"), [(None, "INPUT_MISSING"), (b"", "INPUT_UNREADABLE"), (b"no archive", "INPUT_UNREADABLE")]
)
def test_files_that_are_no_inputs_are_refused(tmp_path, content, code):
    if content is not None:
        (tmp_path / "bad.npz").write_bytes(content)
    with raises(code):
        feeds_of_npz(tmp_path / "bad.npz", PORTS, "--inputs")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with raises("INPUT_UNREADABLE"):
        feeds_of_npz(tmp_path / "one.npy", PORTS, "--inputs")


ONE = {"item": np.zeros(1, np.int32), "price": np.zeros((1, 4), np.float32)}


@pytest.mark.parametrize("arrays", [BAD_INPUTS[0], ONE])
def test_representative_data_that_do_not_fit_are_refused_and_nothing_is_written(foreign, tmp_path, arrays):
    np.savez(tmp_path / "bad.npz", **arrays)
    with raises("INPUT_MISMATCH") as caught:
        convert_foreign(foreign / "numeric", tmp_path / "out", representative=tmp_path / "bad.npz")
    assert "--representative" in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.full
def test_a_file_is_tried_out_on_representative_data(foreign, tmp_path):
    """Zeros are no splits of a ragged tensor: a model that runs on real inputs would be recorded as running nowhere."""
    blind = convert_foreign(foreign / "ragged", tmp_path / "blind", recipes=["float32"])
    assert not blind.variants[0].runs_on and blind.unusable == blind.variants
    made = convert_foreign(
        foreign / "ragged", tmp_path / "out", recipes=["float32"], representative=foreign / "ragged.npz"
    )
    assert made.variants[0].runs_on == list(PHONE_RUNTIMES) and not made.unusable


@pytest.mark.full
def test_the_command_ends_with_1_when_no_runtime_executes_a_file(foreign, pocketrec, tmp_path):
    done = pocketrec("convert", "--saved-model", foreign / "ragged", "--recipe", "float32", "--out", tmp_path / "out")
    assert done.code == 1 and "runs on no runtime" in done.out and CURRENT_RUNTIME in done.out


@pytest.fixture(scope="module")
def tutorials(tmp_path_factory):
    """TFRS' tutorials, small and untrained: retrieval with text features, multi-task, DCN ranking."""
    from tests.convert.tfrs_tutorials import build

    folder = tmp_path_factory.mktemp("tutorials")
    build(folder)
    return folder


@pytest.mark.full
@pytest.mark.parametrize(
    ("model", "signature", "traps"),
    [
        ("text_retrieval", "query", {"string-table"}),
        ("multi_task", "serving_default", {"string-table"}),
        ("dcn", "by_id", set()),
    ],
)
def test_models_of_tfrs_tutorials_run_everywhere_and_hold_parity(tutorials, tmp_path, model, signature, traps):
    out, inputs = tmp_path / "out", tutorials / f"{model}.npz"
    made = convert_foreign(tutorials / model, out, signature=signature, representative=inputs)
    rows = {variant.recipe: variant for variant in made.variants}
    assert set(rows) == set(RECIPES)
    for recipe, variant in rows.items():
        assert variant.runs_on == list(PHONE_RUNTIMES), (recipe, variant.refusals)
        assert {trap.trap for trap in variant.traps} - {"reference-kernel"} == traps
        if recipe != "int4_rows":
            report = check_foreign(tutorials / model, out / variant.file, inputs, signature=signature)
            # CompiledModel takes no text, XNNPACK put on by hand neither, and nothing where there is AVX-512.
            ran = [
                row
                for row in report.results
                if not runtime_of(row.runtime).refuses(variant.inputs, delegate=row.delegate == "xnnpack")
            ]
            assert {(row.status, row.n_queries) for row in ran} == {("pass", 40)}, recipe
    assert rows["dynamic_int8"].table_bytes.get("float32", 0) < 4096
    assert rows["dynamic_int8"].size_bytes < 0.5 * rows["float32"].size_bytes


@pytest.mark.full
@pytest.mark.parametrize(
    ("model", "signature", "op", "layer"),
    [
        ("text_retrieval", "candidate", "tf.StringSplitV2", "title_text"),
        ("dcn", "serving_default", "tf.LookupTableFindV2", "user_gender_lookup"),
    ],
)
def test_ops_tflite_lacks_are_named_with_their_layer_and_the_way_out(tutorials, tmp_path, model, signature, op, layer):
    with raises("MODEL_UNSUPPORTED") as caught:
        convert_foreign(tutorials / model, tmp_path / "out", signature=signature)
    line = str(caught.value)
    assert any(op in part and layer in part for part in line.split(", ")), line
    assert "keyed by int32 ids" in line and "--allow-select-tf-ops" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.full
def test_select_tf_ops_enter_only_when_allowed_and_are_reported(tutorials, tmp_path):
    out = tmp_path / "out"
    made = convert_foreign(
        tutorials / "text_retrieval", out, signature="candidate", recipes=["dynamic_int8"], allow_select_tf_ops=True
    )
    (variant,) = made.variants
    assert made.unusable == [variant] and all("FlexStringLower" in reason for reason in variant.refusals)
    assert "select-tf-ops" in {trap.trap for trap in variant.traps}
    assert "select-tf-ops" in {trap.trap for trap in inspect_model(out / variant.file).traps}
