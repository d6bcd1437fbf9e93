"""The command as a whole: help, quiet, speed of help's imports, and input that is wrong."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pocketrec.core.run_dir import open_run

from tests.conftest import refused

COMMANDS = [
    "demo",
    "doctor",
    "train",
    "convert",
    "inspect",
    "parity",
    "latency",
    "report",
    "bundle",
    "verify",
    "update",
    "recommend",
]
HEAVY = {"tensorflow", "numpy", "scipy", "jinja2", "ai_edge_litert", "tflite_runtime", "cryptography", "scann"}


def test_every_command_has_help_with_an_example(pocketrec):
    listed = pocketrec("--help").out
    for command in COMMANDS:
        done = pocketrec(command, "--help")
        assert done.code == 0 and f"pocketrec {command}" in done.out.split("Example", 1)[1], command
        assert f"  {command} " in listed


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    program = (
        f"import sys; from pocketrec.cli import main as pocketrec_cli; sys.argv = ['pocketrec', *{arguments}]\n"
        "pocketrec_cli.main()\n"
        f"print('loaded', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("loaded []")


def test_demo_is_quiet_on_stderr_and_ends_with_films(demo):
    _, done = demo
    assert done.err == ""
    assert "verified movielens-100k-pocket version 1" in done.out and "For this history" in done.out


def test_demo_passes_every_gate(demo):
    run, _ = demo
    assert {row["status"] for row in json.loads((run / "reports" / "parity.json").read_text())["results"]} == {"pass"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["train"], "Missing option '--out'"),
        (["train", "--out", "x", "--frob"], "No such option"),
        (["train", "--out", "x", "--seed", "abc"], "'--seed'"),
        (["train", "--out", "x", "--seed", "-1"], "0 to 4294967295"),
        (["train", "--out", "x", "--data", "movielens/10k"], "did you mean movielens/100k?"),
        (["train", "--out", "x", "--preset", "tutorials"], "did you mean tutorial?"),
        (["train", "--out", "x", "--split", "radnom"], "did you mean random?"),
        (["convert"], "RUN, or --saved-model and --out"),
        (["convert", "nowhere"], "no such directory"),
        (["parity", "."], "no trained/run.json"),
        (["parity", "--tflite", "x"], "RUN, or --saved-model and --tflite and --inputs"),
        (["latency"], "RUN, or --tflite"),
        (["inspect", "x.tflite", "--fail-on", "tarp"], "one of trap"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(pocketrec, tmp_path, arguments, said):
    assert said in refused(pocketrec(*arguments, cwd=tmp_path))
    assert not list(tmp_path.iterdir())


def test_output_directory_that_holds_something_is_left_alone(pocketrec, tmp_path):
    (tmp_path / "mine").write_text("precious")
    assert "not empty" in refused(pocketrec("train", "--out", tmp_path))
    assert "not empty" in refused(pocketrec("demo", "--out", tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_place_that_cannot_be_written_is_one_line(pocketrec):
    assert "a place that can be written" in refused(pocketrec("train", "--out", "/proc/pocketrec/run"))


def test_run_of_another_schema_version_is_refused(own_run, pocketrec):
    path = own_run / "trained" / "run.json"
    path.write_text(path.read_text().replace("pocketrec.run/1", "pocketrec.run/7"))
    for command in ("convert", "parity", "latency", "report", "bundle"):
        assert "expected schema pocketrec.run/1, got 'pocketrec.run/7'" in refused(pocketrec(command, own_run))


def test_run_without_variants_says_which_command_makes_them(own_run, pocketrec):
    (own_run / "converted" / "variants.json").unlink()
    assert "run `pocketrec convert RUN`" in refused(pocketrec("parity", own_run))


def test_training_that_is_killed_leaves_no_run_and_can_be_started_again(pocketrec, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "pocketrec", "train", "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            if list(out.glob(".trained.partial-*")):
                break
            time.sleep(0.05)
        assert list(out.glob(".trained.partial-*"))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "trained").exists()
    assert "did not finish" in refused(pocketrec("convert", out))
    from pocketrec.core.atomic import require_empty

    require_empty(out)


def test_doctor_lists_runtimes_and_how_to_add_what_is_missing(pocketrec):
    found = json.loads(pocketrec("doctor", "--json").out)
    assert found["schema"] == "pocketrec.doctor/1"
    names = {check["name"]: check for check in found["checks"]}
    assert {"runtime: litert-2.3.0", "runtime: tflite-runtime-2.14.0", "runtime: tf-2.18.1"} <= set(names)
    assert all(check["ok"] or check["add"] for check in found["checks"])
    assert "runtime: litert-2.3.0" in pocketrec("doctor").out


def test_nothing_written_tells_the_machine_or_its_user(run):
    import getpass
    import socket

    words = [
        str(run),
        f"{Path.home()}/",
        *(word for word in (socket.gethostname(), getpass.getuser()) if len(word) > 4),
    ]
    for path in [*run.glob("*/*.json"), *run.glob("reports/report.*")]:
        text = path.read_text()
        assert not [word for word in words if word and word in text], path.name


def test_finished_run_opens(run):
    assert open_run(run).run_json["schema"] == "pocketrec.run/1"
