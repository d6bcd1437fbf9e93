"""Parity and latency on a phone that is plugged in: the same judge, the same records."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.latency.beside import beside_other_places
from pocketrec.benchmarks.latency.machine_noise import describe_conditions
from pocketrec.benchmarks.latency.options import LatencyOptions
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.core.queries.packing import packed, rows_of
from pocketrec.core.records.latency import LatencyReport, LatencyRow
from pocketrec.core.records.phone import PhoneConditions, PhoneFacts, PhoneState
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.adb.device import heat
from pocketrec.runtimes.adb.phone import run_on_phone
from pocketrec.runtimes.adb.staging import PhoneJob
from pocketrec.runtimes.android import pack as android
from pocketrec.runtimes.model_file.smallest import squares, squaring_model
from pocketrec.runtimes.runtimes import RUNTIMES

from tests.conftest import raises, refused
from tests.runtimes.adb.conftest import needs_adb, needs_emulation
from tests.runtimes.adb.fake_phone import THERMAL
from tests.runtimes.adb.libraries import CRASHES, library
from tests.runtimes.android.archives import archive_of, real_archive
from tests.variants import keep_variants

ANDROID = [name for name in RUNTIMES if name.startswith("android-tflite-")]
FEW = {("ranker", "float32"), ("retriever", "dynamic_int8")}
ADB = [needs_adb, needs_emulation]


def on_a_phone(function):
    for mark in ADB:
        function = mark(function)
    return function


@pytest.fixture
def few(own_tiny):
    """A run of two variants; nothing of it was timed yet."""
    keep_variants(Run(own_tiny), lambda variant: (variant.graph, variant.recipe) in FEW)
    (own_tiny / "reports" / "latency.json").unlink()
    return own_tiny


@on_a_phone
def test_every_held_out_user_is_asked_on_a_phone_and_judged_as_everywhere(few, plug_in, emulator, inside):
    phone = plug_in(emulator=emulator)
    done = inside("parity", few, "--target", "adb", "--json")
    assert done.code == 0, done.out[-3000:] + done.err
    report = json.loads((few / "reports" / "parity.json").read_text())
    rows = report["results"]
    assert {(row["graph"], row["recipe"], row["runtime"]) for row in rows} == {
        (*f, name) for f in FEW for name in ANDROID
    }
    assert {(row["target"], row["delegate"], row["status"], row["n_queries"]) for row in rows} == {
        ("adb", "none", "pass", 232)
    }
    assert [(found["target"], found["model"], found["sdk"]) for found in report["phones"]] == [
        ("adb", "Pocket Fake A76", 34)
    ]
    assert phone.files() == [] and phone.running() == []
    workers = [command for command in phone.commands if "pocketrec-worker" in command]
    assert len(workers) == len(rows)  # a shell for each cell

    phone.unplug()
    assert inside("parity", few, "--rejudge").code == 0
    assert json.loads((few / "reports" / "parity.json").read_text())["phones"] == report["phones"]


@pytest.mark.full
@on_a_phone
def test_the_whole_matrix_answers_as_the_same_library_does_on_an_emulated_phone(own_tiny, plug_in, emulator):
    """To the bit: what differs is who calls the library, C on a phone or Python."""
    phone = plug_in(emulator=emulator)
    rows = check_parity(Run(own_tiny), runtimes=ANDROID, targets=["adb", "arm64/cortex-a76"]).results
    found = {(r.graph, r.recipe, r.runtime, r.target): (r.status, r.outputs_sha256) for r in rows}
    assert len(rows) == 2 * len(Run(own_tiny).variants) * len(ANDROID)
    for (graph, recipe, runtime, target), answered in found.items():
        assert answered == found[graph, recipe, runtime, "arm64/cortex-a76"], (graph, recipe, runtime, target)
        assert answered[0] == "pass"
    assert phone.files() == [] and phone.running() == []


@on_a_phone
def test_an_apps_own_library_is_tried_and_one_that_crashes_is_a_row(few, plug_in, emulator, inside, tmp_path):
    plug_in(emulator=emulator)
    own = real_archive(tmp_path / "own.aar", "2.16.1", "arm64-v8a")
    done = inside("parity", few, "--target", "adb", "--runtime", ANDROID[0], "--aar", own, "--json")
    assert done.code == 0, done.out[-3000:] + done.err
    rows = json.loads(done.out)["results"]
    assert {row["runtime"].partition("-")[0] for row in rows} == {"android", "own"}
    crashing = archive_of(tmp_path / "bad.aar", {"arm64-v8a/libx.so": library(tmp_path / "x.so", CRASHES).read_bytes()})
    done = inside("parity", few, "--target", "adb", "--runtime", ANDROID[0], "--aar", crashing, "--json")
    rows = {(row["runtime"].partition("-")[0], row["status"]) for row in json.loads(done.out)["results"]}
    assert done.code == 1 and rows == {("android", "pass"), ("bad", "error")}


@on_a_phone
def test_a_phone_that_is_lost_leaves_the_last_report_as_it_was(few, plug_in, emulator, inside):
    before = (few / "reports" / "parity.json").read_bytes()
    plug_in(emulator=emulator, drops_at="pocketrec-worker")
    line = refused(inside("parity", few, "--target", "adb"))
    assert line.endswith("[DEVICE_LOST]") and (few / "reports" / "parity.json").read_bytes() == before


def test_without_androids_libraries_the_command_that_brings_them_is_named(few, monkeypatch, tmp_path, inside):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "none"))
    line = refused(inside("parity", few, "--target", "adb"))
    assert line.endswith("[NOT_INSTALLED]") and "doctor --install android" in line
    assert refused(inside("latency", few, "--target", "adb")).endswith("[NOT_INSTALLED]")


def squaring(folder, **how):
    path = folder / "squaring.tflite"
    path.write_bytes(squaring_model(has_signature=how.pop("has_signature", True)))
    own = android.folder() / "2.16.1" / "arm64-v8a" / "tflite.so"
    fields = {"inputs": {"x": np.array([[1, 2, 3, 4]], np.float32)}, "threads": 1, "timeout_s": 60.0, **how}
    return PhoneJob(path, own, **fields)


@on_a_phone
def test_the_program_checks_what_it_is_given_and_times_as_the_host_does(plug_in, emulator, tmp_path):
    plug_in(emulator=emulator)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    jobs = [
        squaring(tmp_path, inputs={"x": x}, timed=(5, 20), threads=2),
        squaring(tmp_path, inputs={"x": x.astype(np.int32)}),
        squaring(tmp_path, inputs={"x": x.reshape(2, 6)}),
        squaring(tmp_path, inputs={"z": x}),
        squaring(tmp_path, inputs={"x": x, "z": x}),
    ]
    timed, *wrong = run_on_phone(jobs, "adb", "")
    assert timed, timed.reason
    np.testing.assert_array_equal(timed.arrays["y"], squares(x))
    assert timed.arrays["samples_ns"].shape == timed.arrays["overhead_ns"].shape == (20,)
    assert timed.arrays["samples_ns"].min() > 0 and timed.meta["n_queries"] == 3
    assert all(
        timed.meta[key] > 0 for key in ("load_ns", "first_call_ns", "rss_after_bytes", "peak_rss_bytes", "import_ns")
    )
    said = [outcome.reason for outcome in wrong]
    assert "input x: expected type 1 of TFLite's, got 2" in said[0]
    assert "input x: expected shape [4], got [6]" in said[1]
    assert "the model has no z" in said[2] and "the model has 1, got 2" in said[3]


@on_a_phone
def test_a_file_without_a_signature_is_executed_by_the_names_of_its_tensors(plug_in, emulator, tmp_path):
    plug_in(emulator=emulator)
    (outcome,) = run_on_phone([squaring(tmp_path, has_signature=False)], "adb", "")
    assert outcome.arrays["y"].tolist() == [[1, 4, 9, 16]], outcome.reason


@pytest.mark.full
@on_a_phone
def test_text_goes_in_and_comes_out(plug_in, emulator, tmp_path):
    from pocketrec.convert.converter import convert_function
    from pocketrec.train.tf import tf

    module = tf.Module()
    keys = tf.lookup.KeyValueTensorInitializer(["a", "", "größer"], tf.range(3, dtype=tf.int64))
    module.table, words = tf.lookup.StaticHashTable(keys, 0), tf.constant(["zero", "", "zwölf"])
    module.f = tf.function(lambda text: {"id": (ids := module.table.lookup(text)), "word": tf.gather(words, ids)})
    spec = tf.TensorSpec([None], tf.string, "text")
    model = tmp_path / "text.tflite"
    model.write_bytes(convert_function(module, module.f.get_concrete_function(spec)))
    plug_in(emulator=emulator)
    texts = packed({"text": [np.array([b"", "größer".encode(), b"?"]), np.array([b"a"])]})
    (found,) = run_on_phone([replace(squaring(tmp_path), model=model, inputs=texts)], "adb", "")
    assert found, found.reason
    assert found.arrays["id"].tolist() == [1, 2, 0, 0] and found.arrays["id.offsets"].tolist() == [0, 3, 4]
    assert [row.tolist() for row in rows_of(found.arrays, "word")] == [[b"", "zwölf".encode(), b"zero"], [b"zero"]]


@on_a_phone
def test_latency_on_a_phone_stands_beside_the_hosts_with_the_phones_state(few, plug_in, emulator, inside, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # a name is not broken over two lines
    phone = plug_in(emulator=emulator)
    (phone.root / "dumpsys" / "thermalservice.next").write_text(THERMAL.format(status=2, skin=41.0))
    how = ["--target", "adb", "--runtime", ANDROID[1], "--threads", 1, "--processes", 2, "--samples", 30]
    done = inside("latency", few, *how)
    assert done.code == 0, done.out[-3000:] + done.err
    report = LatencyReport.from_json(json.loads((few / "reports" / "latency.json").read_text()))
    assert {row.target for row in report.rows} == {"adb"} and {row.status for row in report.rows} == {"measured"}
    for row in report.rows:
        assert (row.n_samples, row.n_processes, row.delegate) == (60, 2, "none") and row.load_ms and row.overhead_us
        with np.load(few / "reports" / row.samples_file) as samples:
            assert samples["samples_ns"].shape == (2, 30)
    assert next(row.recall_at_k for row in report.rows if row.graph == "retriever") > 0.9
    (conditions,) = report.conditions.phones
    assert conditions.phone.model == "Pocket Fake A76" and conditions.before.battery_percent == 85
    assert (conditions.before.thermal_status, conditions.after.thermal_status) == (0, 2)
    assert (
        "rated the phone's heat 2" in conditions.warnings[0]
        and "VIRTUAL-SKIN warmed from 30 to 41" in conditions.warnings[1]
    )
    assert "adb: Pocket Fake A76, Android 14; Android rated" in done.out and f"{ANDROID[1]} on adb" in done.out
    assert phone.files() == [] and phone.running() == []
    assert sum("pocketrec-worker" in command for command in phone.commands) == 2 * len(report.rows)

    assert inside("parity", few, "--target", "adb", "--runtime", ANDROID[1]).code == 0
    assert inside("report", few).code == 0
    page = (few / "reports" / "report.html").read_text()
    assert f"{ANDROID[1]} on adb" in page and "Pocket Fake A76" in page and "warmed from 30 to 41" in page


def row(target, **more):
    return LatencyRow(subject="tflite", graph="ranker", recipe="float32", runtime=ANDROID[0], target=target, **more)


FACTS = PhoneFacts("adb", "A phone", "", "14", 34, "arm64-v8a", 8, "0-7", "/")


def measured(*rows, host="a", phones=(), load=0.0):
    conditions = describe_conditions([load, 0.0, 0.0], rows, phones)
    return LatencyReport(host={"cpu": host}, conditions=conditions, results=[*rows])


def test_another_place_is_measured_beside_what_is_known_and_the_same_place_anew():
    phone = PhoneConditions(FACTS, PhoneState(), PhoneState())
    host, adb = measured(row("host", p50_us=1.0), load=64.0), measured(row("adb", p50_us=2.0), phones=[phone])
    both = beside_other_places(adb, host, ["adb"])
    assert [r.target for r in both.rows] == ["host", "adb"] and both.conditions.phones == [phone]
    assert both.conditions.noisy  # the host's own conditions
    again = beside_other_places(measured(row("host", p50_us=3.0)), both, ["host"])
    assert [(r.target, r.p50_us) for r in again.rows] == [("host", 3.0), ("adb", 2.0)]
    assert again.conditions.phones == [phone] and not again.conditions.noisy
    # Another machine's own times do not stay; the phone's do.
    moved = beside_other_places(measured(row("adb", p50_us=4.0), host="b", phones=[phone]), both, ["adb"])
    assert [(r.target, r.p50_us) for r in moved.rows] == [("adb", 4.0)]
    assert beside_other_places(adb, None, ["adb"]) is adb


def test_the_noise_of_a_phone_is_not_the_machines():
    noisy = {"n_processes": 2, "p50_us_by_process": [1.0, 2.0], "spread": 0.7}
    phone = PhoneConditions(FACTS, PhoneState(), PhoneState())
    conditions = describe_conditions([0.0, 0.0, 0.0], [row("adb", **noisy)], [phone])
    assert not conditions.noisy and "differ by 70%" in conditions.phones[0].warnings[0]


@pytest.mark.parametrize(
    ("before", "after", "n"),
    [
        (PhoneState(0, {"skin": 30.0}), PhoneState(0, {"skin": 34.9}), 0),
        (PhoneState(0, {"skin": 30.0}), PhoneState(0, {"skin": 35.0}), 1),
        (PhoneState(0), PhoneState(1), 1),
        (PhoneState(3), PhoneState(0), 1),
        (PhoneState(), PhoneState(), 0),
        (PhoneState(0, {"skin": 30.0}), PhoneState(2, {"cpu": 90.0}), 1),
    ],
)
def test_a_phone_that_gets_warm_is_told(before, after, n):
    assert len(heat(before, after)) == n


def test_what_cannot_be_timed_on_a_phone_is_refused(few, inside):
    assert refused(inside("latency", few, "--items", 1000, "--target", "adb")).endswith("[OPTION_CONFLICT]")
    checked = LatencyOptions(threads=[16], runtimes=[ANDROID[0]], targets=["adb"]).checked()
    with raises("VALUE_OUT_OF_RANGE"):
        checked.check_phones([type("Phone", (), {"facts": replace(FACTS, cpus=8)})()])  # type: ignore[list-item]
    with raises("VALUE_OUT_OF_RANGE"):
        LatencyOptions(threads=[0], runtimes=[ANDROID[0]], targets=["adb"]).checked()
