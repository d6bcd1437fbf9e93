"""Running a worker in its own process: a crash, a refusal or a hang becomes a value."""

import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import processes
from .adb.phone import Phone, opened, run_on_phone
from .adb.staging import PhoneJob
from .native_logs import failure
from .outcome import Outcome as Outcome
from .runtimes import RUNTIMES
from .targets import TARGETS

WORKER = Path(__file__).parent / "workers" / "tflite_worker.py"
PHONE_MACHINE = "aarch64"
FORKING = WORKER.with_name("fork_server.py")


@dataclass(frozen=True)
class Job:
    """A task of a worker.

    Attributes:
        program: path of the worker.
        spec: its SPEC, without inputs and outputs.
        inputs: arrays by name.
        timeout_s: time limit.
    """

    program: str
    spec: Mapping[str, object]
    inputs: Mapping[str, np.ndarray]
    timeout_s: float = 120.0

    def run(self, *, target: str = "host", variables: Mapping[str, str] | None = None, **more: object) -> Outcome:
        """Run it in its own process; `more` is added to the SPEC, target and variables as in `run_worker`."""
        if TARGETS[target].is_phone:
            (outcome,) = _on_phone([self], target)
            return outcome
        spec = {**self.spec, **more}
        return run_worker(
            [self.program], spec, self.inputs, timeout_s=self.timeout_s, target=target, variables=variables
        )


def variant_job(
    model: Path,
    inputs: Mapping[str, np.ndarray],
    *,
    runtime: str,
    delegate: bool | None = None,
    threads: int = 1,
    timeout_s: float = 120.0,
) -> Job:
    """The job of executing a .tflite file on every query of `inputs`; see `run_variant`."""
    spec = {
        "model": str(model),
        **RUNTIMES[runtime].launch(),
        "threads": threads,
        "mode": "outputs",
        "delegate": RUNTIMES[runtime].attaches_delegate if delegate is None else delegate,
    }
    return Job(str(WORKER.with_name(RUNTIMES[runtime].worker)), spec, inputs, timeout_s)


def run_variant(
    model: Path,
    inputs: Mapping[str, np.ndarray],
    *,
    runtime: str,
    target: str = "host",
    delegate: bool | None = None,
    threads: int = 1,
    timeout_s: float = 120.0,
) -> Outcome:
    """Execute a .tflite file on every query of `inputs`, packed as core/queries/packing.py says.

    Args:
        target: a key of `TARGETS`.
        delegate: whether XNNPACK is used; None for what the runtime does by itself.
        threads: number of threads the interpreter may use.
        timeout_s: time limit in seconds.

    Returns:
        The outputs, packed as the inputs are; or the reason it failed.
    """
    job = variant_job(model, inputs, runtime=runtime, delegate=delegate, threads=threads, timeout_s=timeout_s)
    variables = RUNTIMES[runtime].environment(target)
    return job.run(target=target, variables=variables, accelerator=TARGETS[target].accelerator)


def run_forked(
    jobs: Sequence[Job],
    more: Mapping[str, object],
    *,
    target: str = "host",
    variables: Mapping[str, str] | None = None,
) -> Iterator[Outcome]:
    """Run jobs of one program one after another, each in a fork of a process that has imported what they need, or on a phone.

    Outcomes are read one at a time, as the caller takes them. `more` is added to every SPEC; `target` and `variables` are as in
    `run_worker`.
    """
    if TARGETS[target].is_phone:
        yield from _on_phone(jobs, target)
        return
    with tempfile.TemporaryDirectory(prefix="pocketrec-", ignore_cleanup_errors=True) as scratch:
        folders = [Path(scratch) / str(number) for number in range(len(jobs))]
        known: dict[int, Path] = {}
        for folder, job in zip(folders, jobs, strict=True):
            folder.mkdir()
            feeds = known.setdefault(id(job.inputs), folder / "inputs.npz")
            if feeds.parent == folder:
                np.savez(feeds, **job.inputs)  # type: ignore[arg-type]
            files = {"inputs": str(feeds), "outputs": str(folder / "outputs.npz")}
            (folder / "spec.json").write_text(json.dumps({**job.spec, **more, **files}))
        told = [
            {"spec": str(folder / "spec.json"), "stderr": str(folder / "stderr"), "timeout_s": job.timeout_s}
            for folder, job in zip(folders, jobs, strict=True)
        ]
        spec = {"program": jobs[0].program, "jobs": told}
        limit = sum(job.timeout_s for job in jobs)
        done = run_worker([str(FORKING)], spec, {}, timeout_s=limit, target=target, variables=variables)
        statuses = done.arrays["statuses"].tolist() if done else []
        for folder, status, job in zip(folders, statuses, jobs, strict=bool(done)):
            yield _forked(folder, status, job)
        if not done:
            yield from [Outcome(done.reason)] * len(jobs)


def _forked(folder: Path, status: int, job: Job) -> Outcome:
    if status == -signal.SIGALRM:
        return Outcome(f"no answer within {job.timeout_s:g} s")
    said = folder / "stderr"
    return _outcome(folder / "outputs.npz", status, said.read_text("utf-8", "replace") if said.is_file() else "")


def run_worker(
    program: list[str],
    spec: Mapping[str, object],
    inputs: Mapping[str, np.ndarray],
    *,
    timeout_s: float,
    target: str = "host",
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    """Run `python -P PROGRAM SPEC.json` on a target's Python; arrays are exchanged in files.

    However it ends, what the worker started ends with it. `variables` are added to its environment.
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
        environment = {**environment, **(variables or {})}
        stderr = Path(scratch) / "stderr"
        code = processes.run(command, environment=environment, stderr=stderr, timeout_s=timeout_s)
        log = stderr.read_text(encoding="utf-8", errors="replace")
        if code is None:
            return Outcome(f"no answer within {timeout_s:g} s", log=log)
        return _outcome(results, code, log)


def _outcome(results: Path, code: int, stderr: str) -> Outcome:
    if code or not results.is_file():
        return Outcome(failure(code, stderr), log=stderr)
    with np.load(results, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    meta = json.loads(str(arrays.pop("meta")))
    return Outcome("", arrays, meta, stderr)


@contextlib.contextmanager
def connected(targets: Iterable[str]) -> Iterator[list[Phone]]:
    """The phones among targets, ready while the block runs; afterwards nothing of the kit is left on them.

    Raises:
        InputError: as `runtimes.adb.phone.opened`.
    """
    with opened({name: TARGETS[name].serial for name in targets if TARGETS[name].is_phone}) as phones:
        yield phones


def _on_phone(jobs: Sequence[Job], target: str) -> Iterator[Outcome]:
    return run_on_phone([_phone_job(job) for job in jobs], target, TARGETS[target].serial)


def _phone_job(job: Job) -> PhoneJob:
    """A job of tflite_worker.py as the program on a phone takes it."""
    spec: Mapping[str, Any] = job.spec
    timed = (spec["warmup"], spec["samples"]) if spec["mode"] == "latency" else None
    library = Path(spec["libraries"][PHONE_MACHINE])
    return PhoneJob(Path(spec["model"]), library, job.inputs, spec["threads"], job.timeout_s, timed)


@contextlib.contextmanager
def side_by_side() -> Iterator[ThreadPoolExecutor]:
    """A pool for `run_worker` with one thread per processor; an exception kills the workers that still run."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.end_all()
            raise
