"""Programs in process groups of their own, with a time limit; whatever they leave behind ends with them."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_RUNNING: set[subprocess.Popen[bytes]] = set()


def run(
    command: Sequence[str],
    *,
    stderr: Path,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    stdout: Path | None = None,
    holds_stdin: bool = False,
) -> int | None:
    """Run a command in a session of its own, its output in files.

    Args:
        stdout: where its output goes; None for nowhere.
        holds_stdin: keep its standard input open, and empty, for as long as it runs and this process does.

    Returns:
        Its exit status, negative for a signal; None when it took too long.
    """
    with contextlib.ExitStack() as files:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if holds_stdin else subprocess.DEVNULL,
            stdout=files.enter_context(stdout.open("wb")) if stdout else subprocess.DEVNULL,
            stderr=files.enter_context(stderr.open("wb")),
            env=environment,
            start_new_session=True,
        )
    _RUNNING.add(process)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)
        process.wait()
        if process.stdin:
            process.stdin.close()
        _RUNNING.discard(process)


def end_all() -> None:
    """Kill what runs now."""
    for process in tuple(_RUNNING):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process group: the program, and whatever it started and left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
