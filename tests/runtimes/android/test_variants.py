"""Variants in Android's own libraries: on this machine, on emulated phones, and next to the wheels."""

from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.latency.case_kinds import is_usual, name_of
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.convert.converter import convert_function
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.core.documents import LATENCY_SCHEMA, read_json
from pocketrec.core.host import cpu_flags
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.packing import part
from pocketrec.core.records.latency import LatencyReport
from pocketrec.core.records.variants import Port
from pocketrec.core.run_dir import Run
from pocketrec.core.scoring import MASKED_BELOW
from pocketrec.runtimes import qemu_arm64 as arm64
from pocketrec.runtimes import runtimes as table
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.model_file.reader import read_tflite
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES

from tests.convert.models import converted
from tests.runtimes.android.archives import needs_android
from tests.variants import keep_variants

pytestmark = needs_android
needs_arm64 = pytest.mark.skipif(bool(arm64.missing()), reason=arm64.missing())
ANDROID = [name for name in RUNTIMES if name.startswith("android-tflite-")]
# Each beside the wheel that answers as it does: of the same version where there is one.
WHEELS = dict(zip(ANDROID, ("tflite-runtime-2.14.0", CURRENT_RUNTIME), strict=True))
FEW = {("ranker", "dynamic_int8"), ("retriever", "float32"), ("recommender", "static_int8")}
# Of the largest value: a sum in another order. Where a value lies between two steps of int16, the x86-64 wheels round it otherwise:
# a step of a query's elements is 7e-5, and 32 products of them make a score, so that it may be 2.2e-3 off.
ROUNDED, ONE_INT16_STEP = 3e-6, 2.2e-3


def differences(found, expected):
    """Largest difference by output, of the largest value; of lists item by item. Ids that only one side lists are counted too."""
    if "ids" not in expected:
        pairs = {name: (found[name], expected[name]) for name in expected if expected[name].dtype.kind == "f"}
        return {name: _largest(*pair) for name, pair in pairs.items()}, 0
    worst, strangers = {name: 0.0 for name in expected if expected[name].dtype.kind == "f"}, 0
    for query, (ours, theirs) in enumerate(zip(found["ids"], expected["ids"], strict=True)):
        _, left, right = np.intersect1d(ours, theirs, return_indices=True)
        strangers += len(ours) - len(left)
        for name in worst:
            pair = found[name][query][left], expected[name][query][right]
            worst[name] = max(worst[name], _largest(*pair))
    return worst, strangers


def _largest(found, expected):
    """Of those that are no mask's."""
    there = expected > MASKED_BELOW
    assert np.array_equal(there, found > MASKED_BELOW)
    scale = max(1, np.abs(expected[there]).max(initial=0))
    return float(np.max(np.abs(found[there] - expected[there]), initial=0) / scale)


def agree(run, name, variants, *, n=None, target="host"):
    """Assert that a library answers as its wheel does, both without XNNPACK; the items that only one of them lists, by variant."""
    data, strangers = HeldOut(run), {}
    for variant in variants:
        feeds = part(data.feeds(port.name for port in variant.inputs), 0, n)
        file = run.converted / variant.file
        ours, theirs = (
            run_variant(file, feeds, runtime=runtime, target=target, delegate=False) for runtime in (name, WHEELS[name])
        )
        assert ours and theirs, (ours.reason, theirs.reason)
        label = f"{variant.graph}-{variant.recipe}"
        worst, strangers[label] = differences(ours.arrays, theirs.arrays)
        allowed = ONE_INT16_STEP if variant.recipe == "int16x8" else ROUNDED
        assert max(worst.values()) <= allowed, (label, worst)
    return strangers


@pytest.mark.parametrize("name", ANDROID)
def test_few_variants_answer_as_the_wheel_does(tiny, name):
    run = Run(tiny)
    agree(run, name, [variant for variant in run.variants if (variant.graph, variant.recipe) in FEW])


@pytest.mark.full
@pytest.mark.parametrize("name", ANDROID)
def test_every_variant_answers_every_user_as_the_wheel_does(run, name):
    """Only static_int8's many equal scores leave open which of them are last in a list."""
    found = agree(Run(run), name, Run(run).variants)
    assert {label for label, n in found.items() if n} <= {"retriever-static_int8", "recommender-static_int8"}
    n_listed = len(HeldOut(Run(run)).queries) * 100
    assert all(n / n_listed < 0.001 for n in found.values()), found


def test_the_check_itself_trips(tiny):
    run = Run(tiny)
    variant = next(v for v in run.variants if (v.graph, v.recipe) == ("retriever", "float32"))
    feeds = HeldOut(run).feeds(port.name for port in variant.inputs)
    answers = dict(run_variant(run.converted / variant.file, feeds, runtime=ANDROID[0]).arrays)
    assert differences(answers, answers) == ({"scores": 0.0}, 0)
    off = answers | {"scores": answers["scores"] * (1 + 1e-5)}
    assert differences(off, answers)[0]["scores"] > ROUNDED
    assert differences(answers | {"ids": answers["ids"] + 1000}, answers)[1] == answers["ids"].size


@pytest.fixture
def few(own_tiny):
    """A run of one variant."""
    keep_variants(Run(own_tiny), lambda variant: (variant.graph, variant.recipe) == ("ranker", "dynamic_int8"))
    return Run(own_tiny)


def test_cells_are_what_an_app_executes_first_and_xnnpack_put_on_by_hand(few):
    rows = check_parity(few, runtimes=ANDROID).rows
    assert [(row.runtime, row.delegate) for row in rows] == [(n, d) for n in ANDROID for d in ("none", "xnnpack")]
    able = {"pass", "skipped"} if "avx512f" in cpu_flags() else {"pass"}
    assert all(row.status == "pass" if row.delegate == "none" else row.status in able for row in rows), rows


def test_xnnpack_is_refused_where_it_crashes_and_nothing_else(few, monkeypatch):
    monkeypatch.setattr(table, "cpu_flags", lambda: ["avx2", "avx512f"])
    found = {row.delegate: row for row in check_parity(few, runtimes=ANDROID[:1]).rows}
    assert found["none"].status == "pass" and found["xnnpack"].status == "skipped"
    assert "AVX-512" in found["xnnpack"].reason


@pytest.mark.full
@needs_arm64
@pytest.mark.parametrize(
    ("name", "target"),
    [(ANDROID[0], "arm64/cortex-a76"), (ANDROID[1], "arm64/cortex-a53"), (ANDROID[1], "arm64/armv9")],
)
def test_the_arm64_library_passes_on_an_emulated_phone(few, name, target):
    """A ranker on a Cortex-A53: 2.16.1 asks how many cores share a cache, and must not be told of more than there are."""
    (row,) = check_parity(few, runtimes=[name], targets=[target]).rows
    assert (row.target, row.delegate, row.status) == (target, "none", "pass"), row.reason


@pytest.mark.full
@needs_arm64
def test_the_arm64_library_answers_as_the_arm64_wheel_does(tiny):
    run = Run(tiny)
    variants = [variant for variant in run.variants if (variant.graph, variant.recipe) == ("retriever", "static_int8")]
    agree(run, ANDROID[1], variants, n=3, target="arm64/cortex-a53")


@pytest.mark.parametrize("name", ANDROID)
def test_text_goes_in_and_comes_out(name, tmp_path):
    from pocketrec.train.tf import tf

    module = tf.Module()
    keys = tf.lookup.KeyValueTensorInitializer(["a", "", "größer"], tf.range(3, dtype=tf.int64))
    module.table, words = tf.lookup.StaticHashTable(keys, 0), tf.constant(["zero", "", "zwölf"])
    module.f = tf.function(lambda text: {"id": (ids := module.table.lookup(text)), "word": tf.gather(words, ids)})
    path = tmp_path / "text.tflite"
    path.write_bytes(convert_function(module, module.f.get_concrete_function(tf.TensorSpec([None], tf.string, "text"))))
    found = run_variant(path, {"text": np.array([[b"", "größer".encode(), b"?"]])}, runtime=name)
    assert found, found.reason
    assert found.arrays["id"].tolist() == [[1, 2, 0]]
    assert found.arrays["word"].astype("S").tolist() == [[b"", "zwölf".encode(), b"zero"]]


@pytest.mark.parametrize("name", ANDROID)
def test_xnnpack_put_on_by_hand_takes_no_lookup_of_text(name, tmp_path):
    from pocketrec.train.tf import tf

    module = tf.Module()
    keys = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.range(2, dtype=tf.int64))
    module.table = tf.lookup.StaticHashTable(keys, 0)
    module.f = tf.function(lambda text: {"id": module.table.lookup(text)})
    path = tmp_path / "text.tflite"
    path.write_bytes(convert_function(module, module.f.get_concrete_function(tf.TensorSpec([None], tf.string, "text"))))
    assert not run_variant(path, {"text": np.array([[b"a"]])}, runtime=name, delegate=True)
    ports = [Port("text", [-1], "string")]
    assert RUNTIMES[name].refuses(ports, delegate=True) and not RUNTIMES[name].refuses(ports, delegate=False)


def test_a_file_without_signatures_is_addressed_by_its_graph(tmp_path):
    from pocketrec.train.tf import tf

    editor = Editor(converted(lambda x: {"y": tf.reduce_sum(x) * 2.0}, tf.TensorSpec([None, 2], tf.float32, "x")))
    editor.model.signatureDefs = None
    path = tmp_path / "mute.tflite"
    path.write_bytes(editor.pack())
    (port,) = read_tflite(path).ports()[0]
    feeds = {port["name"]: np.arange(6, dtype=np.float32).reshape(1, 3, 2)}
    wheel, own = (run_variant(path, feeds, runtime=runtime) for runtime in (CURRENT_RUNTIME, ANDROID[1]))
    assert own, own.reason
    assert {n: a.tolist() for n, a in own.arrays.items()} == {n: a.tolist() for n, a in wheel.arrays.items()}
    assert [30.0] in [a.tolist() for a in own.arrays.values()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda feeds: {n: v for n, v in feeds.items() if n != "items"}, "inputs: expected"),
        (lambda feeds: feeds | {"history": feeds["history"][:, :5]}, "input history: expected shape"),
        (lambda feeds: feeds | {"history": feeds["history"] + 10_000_000}, "GATHER"),
    ],
)
def test_what_does_not_fit_is_a_reason(tiny, change, said):
    run = Run(tiny)
    variant = next(v for v in run.variants if (v.graph, v.recipe) == ("ranker", "float32"))
    feeds = part(HeldOut(run).feeds(port.name for port in variant.inputs), 0, 1)
    outcome = run_variant(run.converted / variant.file, change(feeds), runtime=ANDROID[1])
    assert not outcome and said in outcome.reason, outcome.reason


def test_a_damaged_model_and_an_unknown_operator_are_reasons(tiny, tmp_path):
    editor = Editor((tiny / "converted" / "query_encoder-float32.tflite").read_bytes())
    editor.set_version(editor.ops[0], 99)
    (tmp_path / "new.tflite").write_bytes(editor.pack())
    (tmp_path / "cut.tflite").write_bytes(b"no model")
    for file, said in (("new", "makes no interpreter"), ("cut", "reads no model")):
        assert said in run_variant(tmp_path / f"{file}.tflite", {}, runtime=ANDROID[1]).reason


@pytest.mark.full
def test_latency_takes_it_when_named_and_shows_what_an_app_executes_as_usual(few, pocketrec):
    options = ["--runtime", ANDROID[1], "--processes", "1", "--samples", "50", "--threads", "1"]
    assert pocketrec("latency", few.root, *options).code == 0
    report = LatencyReport.from_json(read_json(few.reports / "latency.json", LATENCY_SCHEMA))
    rows = [row for row in report.rows if row.runtime == ANDROID[1]]
    usual = [row for row in rows if is_usual(row)]
    assert {row.delegate for row in usual} == {"none"} and all("XNNPACK" not in name_of(row) for row in usual)
    assert all(row.p50_us and row.p50_us > 0 for row in usual)
    by_hand = replace(usual[0], delegate="xnnpack")
    assert not is_usual(by_hand) and name_of(by_hand).endswith("with XNNPACK")
