"""The command as a whole: help, version, completion, quiet, and one process for each command."""

import json
import os
import re
import subprocess
import sys

import pytest
import typer
from pocketrec.cli.help import Command
from pocketrec.cli.main import app

COMMANDS = list(typer.main.get_command(app).commands)
HEAVY = {
    "tensorflow",
    "numpy",
    "scipy",
    "jinja2",
    "ai_edge_litert",
    "tflite_runtime",
    "cryptography",
    "scann",
    "msgspec",
}


def test_every_command_is_listed_with_its_whole_summary(inside):
    done = inside("--help")
    for command in COMMANDS:
        summary = re.search(rf"^  {command} +(\S.*)$", done.out, re.M)
        assert summary and summary[1].endswith("."), command
        assert not summary[1].endswith("..."), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_that_fits_80_columns(command, inside, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = inside(command, "--help")
    assert done.code == 0 and f"pocketrec {command}" in done.out.split("Example", 1)[1]
    assert [line for line in done.out.splitlines() if len(line) > 80] == []
    assert "{" not in done.out.partition("\n")[2], "a name that was not filled in"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_is(command):
    parameters = typer.main.get_command(app).commands[command].params
    assert [parameter.name for parameter in parameters if not getattr(parameter, "help", "")] == []


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    program = (
        f"import sys; from pocketrec.cli.main import main; main({arguments!r})\n"
        f"print('loaded', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("loaded []")


def test_help_names_the_defaults_that_the_stages_have(inside):
    from pocketrec.benchmarks.latency.options import PROCESSES, SAMPLES, THREADS
    from pocketrec.convert.quantize.recipes import DEFAULT_RECIPE
    from pocketrec.core.scoring import DEFAULT_K

    latency = " ".join(inside("latency", "--help").out.split())
    assert f"Default: {' and '.join(map(str, THREADS))}." in latency
    assert f"Default: {PROCESSES}." in latency and f"Default: {SAMPLES}." in latency
    assert f"Default: {DEFAULT_RECIPE}." in " ".join(inside("bundle", "--help").out.split())
    assert f"Default: {DEFAULT_K}, " in " ".join(inside("convert", "--help").out.split())


def test_help_names_every_entry_of_the_tables(inside):
    from pocketrec.api.tables import names

    shown = {
        command: " ".join(inside(command, "--help").out.split()) for command in ("train", "convert", "bundle", "serve")
    }
    pairs = {"datasets": "train", "presets": "train", "splits": "train", "forms": "convert", "layouts": "bundle"}
    for table, command in {**pairs, "indexes": "serve"}.items():
        assert [name for name in names(table) if name not in shown[command].replace("- ", "-")] == [], table


def test_a_toy_entry_of_a_table_appears_in_help(inside, monkeypatch):
    from pocketrec.android_assets.format.layouts import LAYOUTS

    monkeypatch.setitem(LAYOUTS, "toy", next(iter(LAYOUTS.values())))
    assert "pair, split or toy" in " ".join(inside("bundle", "--help").out.split())


def test_every_command_fills_its_help():
    assert all(isinstance(command, Command) for command in typer.main.get_command(app).commands.values())


def test_version_is_the_installed_one(inside):
    from importlib.metadata import version

    done = inside("--version")
    assert (done.code, done.out) == (0, f"pocketrec {version('pocketrec')}\n")


def test_no_command_at_all_shows_the_help_on_stderr(inside):
    done = inside()
    assert done.code == 2 and done.out == "" and "Commands:" in done.err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("pocketrec ver", "verify"),
        ("pocketrec convert run --recipe dyn", "dynamic_int8"),
        ("pocketrec train --preset t", "tutorial"),
        ("pocketrec parity run --target arm64/cortex-a5", "arm64/cortex-a53"),
        ("pocketrec bundle run --layout sp", "split"),
        ("pocketrec list rec", "recipes"),
    ],
)
def test_shells_complete_commands_and_names(typed, offered):
    done = _complete(typed)
    assert done.returncode == 0 and offered in done.stdout, done.stderr


def test_nothing_is_completed_where_nothing_fits():
    assert _complete("pocketrec convert run --recipe nothing-like-it").stdout.strip() == ""


def _complete(typed):
    words = typed.split()
    environment = {
        **os.environ,
        "_POCKETREC_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-m", "pocketrec"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_for_a_shell(shell):
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-m", "pocketrec", "--show-completion", shell]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "_POCKETREC_COMPLETE" in done.stdout


# One process for each command. The tiny run is made by those of train, convert, parity, latency, report, keygen and bundle;
# `serve` has its own tests, `demo` is below.
SMOKE = {
    "doctor": (["doctor", "--json"], '"schema": "pocketrec.doctor/1"'),
    "list": (["list", "layouts"], "cascade"),
    "inspect": (["inspect", "{run}/converted/retriever-dynamic_int8.tflite"], "serving_default"),
    "verify": (["verify", "{run}/bundle", "--key", "{run}/key.pub.pem"], "verified "),
    "recommend": (["recommend", "{run}/bundle", "--prefer", "Western", "--top", "3"], "For this history"),
}
MADE_ELSEWHERE = {
    *("demo", "serve", "train", "evaluate", "convert", "parity", "latency", "report", "keygen", "bundle", "update"),
}


def test_every_command_has_a_process_of_its_own_somewhere():
    assert {*SMOKE, *MADE_ELSEWHERE} == set(COMMANDS)


@pytest.mark.parametrize("command", SMOKE)
def test_a_command_in_a_process_of_its_own(command, tiny, pocketrec):
    arguments, said = SMOKE[command]
    done = pocketrec(*(argument.format(run=tiny) for argument in arguments))
    assert (done.code, done.err) == (0, "") and said in done.out


@pytest.mark.full
def test_evaluate_in_a_process_of_its_own(own_tiny, pocketrec):
    done = pocketrec("evaluate", own_tiny, "--users", 10)
    assert (done.code, done.err) == (0, "") and "whole history" in done.out
    assert (own_tiny / "reports" / "evaluation.json").is_file()


@pytest.mark.full
def test_update_in_a_process_of_its_own(tiny, pocketrec, inside, tmp_path):
    (tmp_path / "new.csv").write_text("id,title,genres\nnew1,Brand New (2026),Western\n")
    base, update = tmp_path / "base", tmp_path / "update"
    assert inside("bundle", tiny, "--out", base, "--layout", "split").code == 0
    catalogue = ["--catalogue-only", "--base", base, "--new-items", tmp_path / "new.csv"]
    assert inside("bundle", tiny, "--out", update, *catalogue).code == 0
    done = pocketrec("update", base, update)
    assert (done.code, done.err) == (0, "") and "version 2" in done.out


def test_demo_is_quiet_on_stderr_and_ends_with_films(demo):
    _, done = demo
    assert done.err == ""
    assert "verified movielens-100k-pocket version 1" in done.out and "For this history" in done.out


def test_demo_passes_every_gate(demo):
    run, _ = demo
    rows = json.loads((run / "reports" / "parity.json").read_text())["results"]
    # Where the machine has AVX-512, the XNNPACK inside Android's libraries is left out.
    assert {row["status"] for row in rows if "AVX-512" not in row["reason"]} == {"pass"}
