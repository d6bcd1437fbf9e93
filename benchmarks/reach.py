"""Proving that a file runs on the runtimes apps ship, by running it."""

from pathlib import Path
from typing import Any

import numpy as np

from ..convert.tflite_file import TfliteFile, read_tflite
from .processes import run_variant
from .runtimes import PHONE_RUNTIMES, RUNTIMES

_FREE_DIMENSION = 2


def refusals(path: Path) -> list[str]:
    """Reasons why installed phone runtimes cannot execute `path` on zeros (or empty strings); none when all can."""
    inputs = zeros_for(read_tflite(path))
    found = []
    for name in PHONE_RUNTIMES:
        if RUNTIMES[name].missing():
            continue
        outcome = run_variant(path, inputs, runtime=name)
        if not outcome:
            found.append(f"{name}: {outcome.reason}")
    return found


def zeros_for(file: TfliteFile) -> dict[str, np.ndarray]:
    """One query of zeros, or empty strings, for every input; free dimensions hold two."""
    return {port["name"]: _zeros(port)[None] for port in file.ports()[0]}


def _zeros(port: dict[str, Any]) -> np.ndarray:
    shape = [_FREE_DIMENSION if n < 0 else n for n in port["shape"]]
    return np.zeros(shape, "S1" if port["dtype"] == "string" else port["dtype"])
