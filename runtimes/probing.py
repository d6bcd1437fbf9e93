"""Trying a .tflite model out on the runtimes installed here."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import CheckFailed, InputError
from ..core.queries.packing import part
from ..core.records.inspection import GpuPlan
from .launch import run_variant, run_worker, side_by_side
from .model_file.reader import PortDict, TfliteFile, parse_tflite
from .native_logs import acceleration, refusals
from .runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, RUNTIMES, any_phone_runtime
from .targets import TARGETS

PLAN_WORKER = Path(__file__).parent / "workers" / "delegate_plan_worker.py"
GPU_PLAN_WORKER = PLAN_WORKER.with_name("gpu_plan_worker.py")
# Of a compilation: the largest file of the demo takes 12 s on two busy cores.
GPU_TIMEOUT_S = 120.0
_FREE_DIMENSION = 2


@contextlib.contextmanager
def on_disk(model: bytes) -> Iterator[Path]:
    """A model's bytes as a file, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        path = Path(scratch) / "model.tflite"
        path.write_bytes(model)
        yield path


def try_out(model: bytes, feeds: Mapping[str, np.ndarray] | None = None) -> dict[str, str]:
    """Execute a model once on each installed phone runtime: name to the reason it fails, '' where it runs.

    Args:
        feeds: packed inputs, of which the first query is taken; zeros and empty strings when None.
    """
    inputs = zeros_for(parse_tflite(model)) if feeds is None else part(feeds, 0, 1)
    names = [name for name in PHONE_RUNTIMES if not RUNTIMES[name].missing()]
    with on_disk(model) as path, side_by_side() as pool:
        outcomes = pool.map(lambda name: run_variant(path, inputs, runtime=name), names)
        return {name: outcome.reason for name, outcome in zip(names, outcomes, strict=True)}


def execute(model: bytes, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Outputs of a model on an installed phone runtime, one query after another.

    Raises:
        CheckFailed: it does not run.
    """
    with on_disk(model) as path:
        outcome = run_variant(path, feeds, runtime=any_phone_runtime())
    if not outcome:
        raise CheckFailed(f"the model does not run on representative data: {outcome.reason}", code="RUNTIME_FAILED")
    return outcome.arrays


@dataclass(frozen=True)
class DelegatePlan:
    """Which operators the default delegate, XNNPACK, takes.

    Attributes:
        runtime: key of the runtime that was asked.
        reason: why it could not be asked; '' when it could.
        delegated: for each operator of the first subgraph whether it is taken; None where that is not known.
        partitions: how many pieces the delegate runs; None where that is not known.
    """

    runtime: str
    reason: str = ""
    delegated: list[bool] | None = None
    partitions: int | None = None


def delegate_plan(model: bytes) -> DelegatePlan:
    """Ask the current phone runtime, in its own process, which operators of a model its delegate takes."""
    runtime = CURRENT_RUNTIME
    if reason := RUNTIMES[runtime].missing():
        return DelegatePlan(runtime, reason)
    with on_disk(model) as path:
        spec = {"model": str(path), "module": RUNTIMES[runtime].module}
        outcome = run_worker([str(PLAN_WORKER)], spec, {}, timeout_s=60)
    if not outcome:
        return DelegatePlan(runtime, outcome.reason)
    found = outcome.arrays
    return DelegatePlan(runtime, "", found["delegated"].tolist(), int(found["partitions"]))


def gpu_plan(model: bytes, *, timeout_s: float = GPU_TIMEOUT_S) -> GpuPlan:
    """Have LiteRT's GPU accelerator compile a model, in its own process, and read what it says.

    Args:
        timeout_s: time limit of the compilation, in seconds.

    Raises:
        InputError: the runtime or the driver in software is not here.
    """
    target = next(name for name, place in TARGETS.items() if place.platform == "gpu")
    runtime = next(name for name, known in RUNTIMES.items() if known.runs_on(target))
    if reason := RUNTIMES[runtime].missing() or TARGETS[target].missing():
        given, _, command = reason.partition("; ")
        raise InputError(
            "--gpu",
            expected=f"{runtime} on {target}",
            given=given,
            do=f"run `{command}`",
            code="NOT_INSTALLED",
        )
    n_ops = len(parse_tflite(model).all_ops)
    with on_disk(model) as path:
        spec = {"model": str(path), "module": RUNTIMES[runtime].module}
        outcome = run_worker([str(GPU_PLAN_WORKER)], spec, {}, timeout_s=timeout_s, target=target)
    found = acceleration(outcome.log, is_whole=bool(outcome.meta.get("fully_accelerated")))
    n_left = found.left if outcome else None
    return GpuPlan(
        runtime=runtime,
        target=target,
        reason=outcome.reason,
        n_ops=n_ops,
        n_taken=None if n_left is None else n_ops - n_left,
        n_left=n_left,
        refusals=refusals(outcome.log),
    )


def zeros_for(file: TfliteFile) -> dict[str, np.ndarray]:
    """One query of zeros, or empty strings, for every input; free dimensions get size 2."""
    return {port["name"]: _zeros(port)[None] for port in file.ports()[0]}


def _zeros(port: PortDict) -> np.ndarray:
    shape = [_FREE_DIMENSION if n < 0 else n for n in port["shape"]]
    return np.zeros(shape, "S1" if port["dtype"] == "string" else port["dtype"])
