"""What reaches the terminal: width, colour, lines that are not broken, progress, and how a command ends."""

import io
import logging
import re

import pytest
import typer
from pocketrec.cli import console
from rich.table import Table


class Terminal(io.StringIO):
    def isatty(self):
        return True


def wide_table():
    table = Table("name", "what it holds")
    table.add_row("retriever-dynamic_int8.tflite", "words " * 30)
    return table


@pytest.mark.parametrize("columns", [80, 132])
def test_tables_fit_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout", out := Terminal())
    console.show(wide_table())
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns and len(lines) > 5


def test_tables_in_a_pipe_are_as_wide_as_their_content(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    console.show(wide_table())
    assert ("words " * 30).strip() in capsys.readouterr().out


def test_columns_set_the_width_in_a_pipe_too(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    console.show(wide_table())
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_lines_are_never_broken(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout", out := Terminal())
    console.show("wrote " + "a/very/long/path/" * 10)
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("no_color", [False, True])
def test_no_color_is_obeyed(monkeypatch, no_color):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", out := Terminal())
    table = Table("name")
    table.add_row("fails", style="red")
    console.show(table)
    assert ("\x1b[31m" in out.getvalue()) is not no_color


def test_markup_in_names_is_printed_as_it_is(capsys):
    console.show("film [bold]x[/bold] :smile:")
    assert capsys.readouterr().out == "film [bold]x[/bold] :smile:\n"


def test_logged_steps_are_handed_over_only_while_the_block_runs():
    seen = []
    log = logging.getLogger("pocketrec.toy")
    with console.logged(seen.append):
        log.info("inside")
    log.info("outside")
    assert seen == ["inside"]


def test_verbose_shows_the_steps_on_stderr(capfd):
    with console.working(verbose=True):
        logging.getLogger("pocketrec.toy").info("a step")
    shown = capfd.readouterr()
    assert "a step" in shown.err and shown.out == ""


def ending(error):
    def command():
        raise error

    return command


def test_how_a_command_ends(capsys):
    from pocketrec.core.errors import CheckFailed, InputError

    wrong = InputError("--x", expected="1", given=2, do="choose", code="VALUE_OUT_OF_RANGE")
    for error, status, code in (
        (wrong, 2, "VALUE_OUT_OF_RANGE"),
        (CheckFailed("no", code="GATE_FAILED"), 1, "GATE_FAILED"),
        (typer.BadParameter("bad"), 2, "USAGE"),
        (KeyboardInterrupt(), 130, "INTERRUPTED"),
        (typer.Abort(), 130, "INTERRUPTED"),
    ):
        assert console.exit_status(ending(error)) == status
        line = capsys.readouterr().err
        assert line.startswith("error: ") and line.endswith(f"[{code}]\n") and line.count("\n") == 1
    assert console.exit_status(lambda: 3) == 3
    assert console.exit_status(lambda: None) == 0


def test_another_exception_is_no_line_but_a_traceback():
    with pytest.raises(ZeroDivisionError):
        console.exit_status(lambda: 1 / 0)


def test_a_reader_that_leaves_early_is_no_traceback(tiny):
    import subprocess
    import sys

    done = subprocess.run(
        f"{sys.executable} -m pocketrec list --json | head -c 10",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
