"""Trying a .tflite file out on the runtimes installed here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import CheckFailed
from .launch import run_variant, run_worker
from .model_file.reader import TfliteFile, read_tflite
from .runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, RUNTIMES, any_phone_runtime

PLAN_WORKER = Path(__file__).parent / "workers" / "delegate_plan_worker.py"
_FREE_DIMENSION = 2


def try_out(path: Path) -> dict[str, str]:
    """Execute a file on zeros (or empty strings) on each installed phone runtime: name to why it fails, '' where it runs."""
    inputs = zeros_for(read_tflite(path))
    names = [name for name in PHONE_RUNTIMES if not RUNTIMES[name].missing()]
    return {name: run_variant(path, inputs, runtime=name).reason for name in names}


def execute(path: Path, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Outputs of a file on the newest installed phone runtime.

    Raises:
        CheckFailed: it does not run.
    """
    outcome = run_variant(path, feeds, runtime=any_phone_runtime())
    if not outcome:
        raise CheckFailed(f"{path.name} does not run on representative data: {outcome.reason}")
    return outcome.arrays


def plan(path: Path) -> dict[str, Any]:
    """Which operators LiteRT's XNNPACK delegate takes, asked of the runtime itself in a process of its own (see inspect_file)."""
    runtime = CURRENT_RUNTIME
    unasked = {"runtime": runtime, "reason": RUNTIMES[runtime].missing(), "delegated": [], "partitions": None}
    if unasked["reason"]:
        return unasked
    spec = {"model": str(path), "module": RUNTIMES[runtime].module}
    outcome = run_worker([str(PLAN_WORKER)], spec, {}, timeout_s=60)
    if not outcome:
        return {**unasked, "reason": outcome.reason}
    found = outcome.arrays
    return {**unasked, "delegated": found["delegated"].tolist(), "partitions": int(found["partitions"])}


def zeros_for(file: TfliteFile) -> dict[str, np.ndarray]:
    """One query of zeros, or empty strings, for every input; free dimensions hold two."""
    return {port["name"]: _zeros(port)[None] for port in file.ports()[0]}


def _zeros(port: dict[str, Any]) -> np.ndarray:
    shape = [_FREE_DIMENSION if n < 0 else n for n in port["shape"]]
    return np.zeros(shape, "S1" if port["dtype"] == "string" else port["dtype"])
