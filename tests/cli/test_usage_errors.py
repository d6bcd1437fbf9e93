"""Input that is wrong: one line with a code, the right exit status, and nothing written."""

import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import refused

PARITY_PAIR = ["parity", "--saved-model", "x", "--tflite", "x", "--inputs", "x"]


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["frobnicate"], "USAGE", "frobnicate"),
        (["train"], "USAGE", "--out"),
        (["train", "--out", "x", "--frob"], "USAGE", "--frob"),
        (["train", "--out", "x", "--seed", "abc"], "USAGE", "--seed"),
        (["train", "--out", "x", "--seed", "-1"], "VALUE_OUT_OF_RANGE", "--seed"),
        (["train", "--out", "x", "--data", "movielens/10k"], "NAME_UNKNOWN", "movielens/100k"),
        (["train", "--out", "x", "--preset", "tutorials"], "NAME_UNKNOWN", "tutorial"),
        (["train", "--out", "x", "--split", "radnom"], "NAME_UNKNOWN", "random"),
        (["list", "recipies"], "NAME_UNKNOWN", "recipes"),
        (["doctor", "--install", "arm65"], "NAME_UNKNOWN", "arm64"),
        (["convert"], "OPTION_MISSING", "--saved-model and --out"),
        (["convert", "x", "--out", "y"], "OPTION_CONFLICT", "--out"),
        (["convert", "--saved-model", "x", "--out", "y", "--compare"], "OPTION_MISSING", "--compare"),
        (["convert", "--saved-model", "x", "--out", "y", "--form", "full_scan"], "OPTION_MISSING", "--form"),
        (["convert", "--saved-model", "x", "--out", "y", "--k", "5"], "OPTION_MISSING", "--k"),
        (["convert", "x", "--representative", "y"], "OPTION_MISSING", "--representative"),
        (["convert", "nowhere"], "RUN_MISSING", "nowhere"),
        (["parity", "."], "RUN_MISSING", "trained/run.json"),
        (["parity", "--tflite", "x"], "OPTION_MISSING", "--saved-model --inputs"),
        (["parity", "x", "--tflite", "x"], "OPTION_CONFLICT", "--tflite"),
        ([*PARITY_PAIR, "--require", "host"], "OPTION_MISSING", "--require"),
        (["parity", "x", "--scores", "x"], "OPTION_MISSING", "--scores"),
        (["parity", "x", "--rejudge", "--runtime", "x"], "OPTION_CONFLICT", "--runtime"),
        (["latency"], "OPTION_MISSING", "--tflite"),
        (["latency", "x", "--tflite", "x"], "OPTION_CONFLICT", "--tflite"),
        (["latency", "x", "--inputs", "x"], "OPTION_MISSING", "--inputs"),
        (["latency", "--tflite", "x", "--served"], "OPTION_MISSING", "--served"),
        (["latency", "x", "--dimension", "8"], "OPTION_MISSING", "--items"),
        (["latency", "x", "--rtt-ms", "8"], "OPTION_MISSING", "--served"),
        (["latency", "x", "--items", "8", "--served"], "OPTION_CONFLICT", "--items"),
        (["inspect", "x.tflite"], "INPUT_MISSING", "x.tflite"),
        (["inspect", "x.tflite", "--fail-on", "tarp"], "NAME_UNKNOWN", "trap"),
        (["report", "x", "--fail-on", "regression"], "OPTION_MISSING", "--baseline"),
        (["report", "x", "--baseline", "y", "--fail-on", "regress"], "NAME_UNKNOWN", "regression"),
        (["bundle", "x", "--base", "y"], "OPTION_MISSING", "--catalogue-only"),
        (["bundle", "x", "--new-items", "y"], "OPTION_MISSING", "--catalogue-only"),
        (["bundle", "x", "--catalogue-only"], "OPTION_MISSING", "--base"),
        (["bundle", "x", "--catalogue-only", "--base", "y", "--layout", "pair"], "OPTION_CONFLICT", "--layout"),
        (["bundle", "x", "--auto", "--recipe", "float32"], "OPTION_CONFLICT", "--recipe"),
        (["bundle", "nowhere"], "RUN_MISSING", "nowhere"),
        (["keygen"], "USAGE", "--out"),
        (["verify"], "OPTION_MISSING", "BUNDLE"),
        (["verify", "x", "--apk", "y"], "OPTION_CONFLICT", "--apk"),
        (["verify", "--apk", "x", "--key", "y"], "OPTION_MISSING", "BUNDLE"),
        (["verify", "--apk", "x"], "INPUT_MISSING", "x"),
        (["verify", "x", "--allow-downgrade"], "OPTION_MISSING", "--base"),
        (["recommend", "x", "--user", "1", "--history", "y"], "OPTION_CONFLICT", "--history"),
        (["recommend", "x", "--user", "1", "--prefer", "y"], "OPTION_CONFLICT", "--prefer"),
        (["serve", "nowhere"], "RUN_MISSING", "nowhere"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(inside, tmp_path, arguments, code, named):
    line = refused(inside(*arguments, cwd=tmp_path))
    assert line.endswith(f"[{code}]") and named in line
    assert not list(tmp_path.iterdir())


def test_a_wrong_command_in_a_process_of_its_own(pocketrec, tmp_path):
    assert refused(pocketrec("convert", "nowhere", cwd=tmp_path)).endswith("[RUN_MISSING]")


def test_output_directory_that_holds_something_is_left_alone(inside, tmp_path):
    (tmp_path / "mine").write_text("precious")
    for command in ("train", "demo"):
        assert refused(inside(command, "--out", tmp_path)).endswith("[OUTPUT_EXISTS]")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_place_that_cannot_be_written_is_one_line(inside):
    assert refused(inside("train", "--out", "/proc/pocketrec/run")).endswith("[OUTPUT_UNWRITABLE]")


@pytest.mark.parametrize("command", ["convert", "parity", "latency", "report", "bundle", "serve"])
def test_run_of_another_schema_version_is_refused(command, inside, tmp_path, tiny):
    (tmp_path / "trained").mkdir()
    text = (tiny / "trained" / "run.json").read_text()
    (tmp_path / "trained" / "run.json").write_text(text.replace("pocketrec.run/1", "pocketrec.run/7"))
    line = refused(inside(command, tmp_path))
    assert line.endswith("[SCHEMA_UNKNOWN]") and "pocketrec.run/7" in line


def test_run_without_variants_says_which_command_makes_them(inside, own_tiny):
    (own_tiny / "converted" / "variants.json").unlink()
    line = refused(inside("parity", own_tiny))
    assert line.endswith("[INPUT_MISSING]") and "pocketrec convert RUN" in line


@pytest.mark.full
def test_training_that_is_killed_leaves_no_run_and_can_be_started_again(inside, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "pocketrec", "train", "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(1200):
            if list(out.glob(".trained.partial-*")):
                break
            time.sleep(0.05)
        assert list(out.glob(".trained.partial-*"))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "trained").exists()
    assert refused(inside("convert", out)).endswith("[RUN_UNFINISHED]")
    from pocketrec.core.files.atomic import require_empty

    require_empty(out)


def test_nothing_written_tells_the_machine_or_its_user(tiny):
    import getpass
    import socket
    from pathlib import Path

    words = [str(tiny), f"{Path.home()}/", *(w for w in (socket.gethostname(), getpass.getuser()) if len(w) > 4)]
    for path in [*tiny.glob("*/*.json"), *tiny.glob("reports/report.*")]:
        text = path.read_text()
        assert not [word for word in words if word and word in text], path.name
