"""Running a worker in a process of its own: a crash, a refusal or a hang becomes a value."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .runtimes import RUNTIMES
from .targets import TARGETS

WORKER = Path(__file__).with_name("worker.py")
_RUNNING: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Outcome:
    """What a worker did; true when it succeeded.

    Attributes:
        reason: why it failed, with the last lines of its stderr; '' on success.
        arrays: what it wrote.
        meta: its own account of loading and memory.
    """

    reason: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return not self.reason


def run_variant(
    model: Path,
    inputs: Mapping[str, np.ndarray],
    *,
    runtime: str,
    target: str = "host",
    delegate: bool = True,
    threads: int = 1,
    timeout_s: float = 120.0,
    latency: Mapping[str, int] | None = None,
) -> Outcome:
    """Execute a .tflite file on every query of `inputs` (see worker.py for their form).

    Args:
        target: a key of `TARGETS`.
        delegate: whether the runtime may use its default delegate, XNNPACK.
        latency: `{"warmup": n, "samples": n}` to time calls instead of keeping outputs.
    """
    spec = {
        "model": str(model),
        **RUNTIMES[runtime].launch(),
        "threads": threads,
        "mode": "outputs",
        "delegate": delegate,
    }
    if latency is not None:
        spec |= {"mode": "latency", **latency}
    program = str(WORKER.with_name(RUNTIMES[runtime].worker))
    return run_worker([program], spec, inputs, timeout_s=timeout_s, target=target)


def run_worker(
    program: list[str],
    spec: dict[str, Any],
    inputs: Mapping[str, np.ndarray],
    *,
    timeout_s: float,
    target: str = "host",
) -> Outcome:
    """Run `python -P PROGRAM SPEC.json` on a target's Python, handing arrays over in files.

    However it ends, what the worker started ends with it.
    """
    # A browser that was just killed may still be writing its profile.
    with tempfile.TemporaryDirectory(prefix="pocketrec-", ignore_cleanup_errors=True) as scratch:
        feeds, results, path = (Path(scratch) / name for name in ("inputs.npz", "outputs.npz", "spec.json"))
        np.savez(feeds, **inputs)  # type: ignore[arg-type]
        path.write_text(json.dumps({**spec, "inputs": str(feeds), "outputs": str(results)}))
        python, environment = TARGETS[target].launch()
        command = [*python, "-P", *program, str(path)]
        environment = environment or {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_USE_LEGACY_KERAS": "1",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        stderr = Path(scratch) / "stderr"
        code = _run(command, environment, stderr, timeout_s)
        if code is None:
            return Outcome(f"no answer within {timeout_s:g} s")
        if code or not results.is_file():
            return Outcome(_failure(code, stderr.read_text(encoding="utf-8", errors="replace")))
        with np.load(results, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    meta = json.loads(str(arrays.pop("meta")))
    return Outcome("", arrays, meta)


@contextlib.contextmanager
def side_by_side() -> Iterator[ThreadPoolExecutor]:
    """A pool for `run_worker`, as wide as the machine; left by an exception, it kills the workers that still run."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_RUNNING):
                _end(process)
            raise


def _run(command: list[str], environment: Mapping[str, str], stderr: Path, timeout_s: float) -> int | None:
    """Exit status of a command in a session of its own, its stderr in a file; None when it took too long."""
    with stderr.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
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
        _RUNNING.discard(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker's process group: the worker, and whatever it started and left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _failure(code: int, stderr: str) -> str:
    lines = [
        line.strip()
        for line in stderr.splitlines()
        if line.strip() and not line.startswith(("W0000", "I0000", "INFO:"))
    ]
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    return f"{how}: {' | '.join(lines[-2:])[-400:]}" if lines else how
