"""Rules of options: each kind trips, names options that exist, is printed by --help, and holds for the API as for the command."""

import inspect

import pytest
import typer
from pocketrec.cli.main import app

import pocketrec as pr
from pocketrec.api.rules import RULES, Either, checked, either, excludes, option_of, requires, rules_text
from tests.conftest import raises

COMMANDS = typer.main.get_command(app).commands
# What only the command has: how a result is shown, and what is a function of its own in the API.
COMMAND_ONLY = {"as_json", "verbose", "fail_on", "help", "compare", "install"}
API_ONLY = {"on_ready", "loading", "log_requests"}


def test_requires_trips():
    rule = requires("--dimension", "--items")
    rule.check({"--dimension": True, "--items": True})
    rule.check({"--dimension": False, "--items": False})
    with raises("OPTION_MISSING") as caught:
        rule.check({"--dimension": True, "--items": False})
    assert "--dimension" in str(caught.value) and "--items" in str(caught.value)


def test_excludes_trips():
    rule = excludes("--items", "--served")
    rule.check({"--items": True})
    with raises("OPTION_CONFLICT"):
        rule.check({"--items": True, "--served": True})


def test_either_trips():
    rule = either("RUN", "--saved-model", "--out")
    rule.check({"RUN": True})
    rule.check({"--saved-model": True, "--out": True})
    for given in ({}, {"--saved-model": True}):
        with raises("OPTION_MISSING"):
            rule.check(given)
    with raises("OPTION_CONFLICT"):
        rule.check({"RUN": True, "--out": True})


def test_a_rule_is_checked_before_the_function_runs(monkeypatch):
    monkeypatch.setitem(RULES, "toy", (requires("--b", "--a"),))
    ran = []

    @checked
    def toy(a: int | None = None, b: int | None = None) -> None:
        ran.append((a, b))

    with raises("OPTION_MISSING"):
        toy(b=0)
    toy(a=0, b=0)
    assert ran == [(0, 0)]


@pytest.mark.parametrize("command", RULES)
def test_rules_name_options_of_their_command(command):
    known = {opt for parameter in COMMANDS[command].params for opt in parameter.opts} | {
        (parameter.metavar or "") for parameter in COMMANDS[command].params
    }
    for rule in RULES[command]:
        names = [*rule.options, rule.argument if isinstance(rule, Either) else rule.other]
        assert set(names) <= known, (command, rule)


@pytest.mark.parametrize("command", RULES)
def test_rules_are_printed_in_help(command, inside):
    shown = " ".join(inside(command, "--help").out.split())
    for rule in RULES[command]:
        assert rule.describe() in shown
    assert rules_text("keygen") is None


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("demo", "list")])
def test_command_and_function_have_the_same_parameters(command):
    of_command = {parameter.name for parameter in COMMANDS[command].params} - COMMAND_ONLY
    of_function = set(inspect.signature(getattr(pr, command)).parameters) - API_ONLY
    renamed = {"file": "model"}  # `pr.inspect` takes bytes too
    assert {renamed.get(name, name) for name in of_command} == of_function


@pytest.mark.parametrize("command", COMMANDS)
def test_parameters_are_named_for_their_options(command):
    for parameter in COMMANDS[command].params:
        flags = [opt for opt in parameter.opts if opt.startswith("--")]
        if flags and parameter.name not in COMMAND_ONLY:
            assert option_of(parameter.name) in flags, parameter.name


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: pr.convert(), "OPTION_MISSING"),
        (lambda: pr.convert("x", out="y"), "OPTION_CONFLICT"),
        (lambda: pr.parity(tflite="x"), "OPTION_MISSING"),
        (lambda: pr.latency("x", items=[5], served=True), "OPTION_CONFLICT"),
        (lambda: pr.bundle("x", base="y"), "OPTION_MISSING"),
        (lambda: pr.verify("x", allow_downgrade=True), "OPTION_MISSING"),
        (lambda: pr.recommend("x", user="1", history={"A": 5}), "OPTION_CONFLICT"),
    ],
)
def test_the_api_has_the_commands_rules(call, code):
    with raises(code):
        call()
