"""`pocketrec serve` as a process of its own, and which processor each side runs on."""

import contextlib
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ....core.errors import CheckFailed
from ....runtimes.workers.process_memory import memory

_READY_S, _STOP_S = 120.0, 30.0


@dataclass(frozen=True)
class ServerProcess:
    """A server that is ready.

    Attributes:
        url: where it listens.
        pid: its process.
        load_ms: from starting the process to its being ready.
        cpu: the processor it runs on; None when not pinned.
    """

    url: str
    pid: int
    load_ms: float
    cpu: int | None

    def memory(self, field: str) -> int:
        """A field of the server's /proc/PID/status in bytes; 0 where there is none."""
        return memory(field, self.pid)


def processors() -> tuple[int | None, int | None]:
    """A processor for the server and another for its client; None for both where the process may use only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


@contextlib.contextmanager
def on_processor(cpu: int | None) -> Iterator[None]:
    """Start processes on one processor; this thread is on it meanwhile, and its threads-to-be with it."""
    before = os.sched_getaffinity(0)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def serving_process(run: Path, index: str = "scann", cpu: int | None = None) -> Iterator[ServerProcess]:
    """Start `pocketrec serve RUN --port 0`, wait until it is ready, and stop it afterwards.

    Raises:
        CheckFailed: it did not start; with what it said.
    """
    command = [sys.executable, "-P", "-m", "pocketrec", "serve", str(run), "--port", "0", "--index", index]
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        with on_processor(cpu):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        try:
            url = _url(process.stdout, said)
            yield ServerProcess(url, process.pid, (time.monotonic() - started) * 1e3, cpu)
        finally:
            _stop(process)


def _url(stdout: IO[bytes], said: IO[bytes]) -> str:
    readable, _, _ = select.select([stdout], [], [], _READY_S)
    found = re.search(r"http://\S+", stdout.readline().decode()) if readable else None
    if found is None:
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else f"not ready within {_READY_S:g} s"
        raise CheckFailed(f"served: the server did not start: {reason}", code="SERVER_FAILED")
    return found[0]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
