"""Golden vectors: a few real queries with their answers, small enough to ship and to replay in any language.

A tensor is `{"dtype", "shape", "base64"}` with little-endian values in row-major order, or `{"dtype": "string", "shape",
"values"}`.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmarks.processes import run_variant
from ..benchmarks.runtimes import any_phone_runtime
from ..convert.graphs import MASKED_BELOW
from ..train.errors import CheckFailed

GOLDEN_SCHEMA = "pocketrec.golden/1"
# Ids may change places among scores closer than the tolerance; this share of them must still be the same set.
LEAST_OVERLAP = 0.9


def encode(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON."""
    if array.dtype.kind in "SUO":
        values = [v.decode() if isinstance(v, bytes) else str(v) for v in array.reshape(-1).tolist()]
        return {"dtype": "string", "shape": list(array.shape), "values": values}
    data = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": base64.b64encode(data).decode()}


def decode(tensor: Mapping[str, Any]) -> np.ndarray:
    """An array from JSON.

    Raises:
        CheckFailed: the tensor is malformed.
    """
    try:
        if tensor["dtype"] == "string":
            return np.array([value.encode() for value in tensor["values"]]).reshape(tensor["shape"])
        dtype = np.dtype(tensor["dtype"]).newbyteorder("<")
        flat = np.frombuffer(base64.b64decode(tensor["base64"], validate=True), dtype)
        return flat.reshape(tensor["shape"]).astype(dtype.newbyteorder("="))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckFailed(f"golden vectors: a malformed tensor ({error})") from error


def make_vectors(
    model: Path, name: str, queries: list[dict[str, np.ndarray]], tolerance: float
) -> list[dict[str, Any]]:
    """Answers of `model` on an installed phone runtime, one vector a query.

    Args:
        name: the model's path inside the bundle.
        tolerance: largest difference of a float output that a device may show.

    Raises:
        CheckFailed: the model does not run.
    """
    return [
        {
            "model": name,
            "inputs": {key: encode(value) for key, value in query.items()},
            "outputs": {key: encode(value) for key, value in _run(model, query).items()},
            "tolerance": tolerance,
        }
        for query in queries
    ]


def replay(folder: Path, vectors: Sequence[Mapping[str, Any]]) -> int:
    """Replay vectors on an installed phone runtime; returns how many there were.

    Raises:
        CheckFailed: a model does not run, or answers beyond the tolerance.
    """
    for number, vector in enumerate(vectors):
        inputs = {key: decode(value) for key, value in vector["inputs"].items()}
        expected = {key: decode(value) for key, value in vector["outputs"].items()}
        reason = difference(expected, _run(folder / vector["model"], inputs), float(vector["tolerance"]))
        if reason:
            raise CheckFailed(f"golden vector {number} of {vector['model']}: {reason}")
    return len(vectors)


def difference(expected: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray], tolerance: float) -> str:
    """Why `got` is not `expected`; '' when it is, within `tolerance` for floats and `LEAST_OVERLAP` for ids."""
    if set(expected) != set(got):
        return f"outputs {sorted(got)} instead of {sorted(expected)}"
    for name, wanted in expected.items():
        found = got[name]
        if found.shape != wanted.shape or found.dtype.kind != wanted.dtype.kind:
            return f"{name} is {found.dtype.name}{list(found.shape)} instead of {wanted.dtype.name}{list(wanted.shape)}"
        if wanted.dtype.kind == "f":
            both_masked = (wanted < MASKED_BELOW) & (found < MASKED_BELOW)
            with np.errstate(invalid="ignore"):
                far = ~(both_masked | (np.abs(found.astype(np.float64) - wanted) <= tolerance))
            if far.any():
                return f"{name} differs by more than {tolerance:g} in {int(far.sum())} of {far.size} values"
        elif wanted.dtype.kind == "i" and wanted.size:
            overlap = len(np.intersect1d(wanted, found)) / len(np.unique(wanted))
            if overlap < LEAST_OVERLAP:
                return f"{name} shares {overlap:.0%} of its ids with the expected ones"
        elif not np.array_equal(wanted, found):
            return f"{name} differs"
    return ""


def _run(model: Path, query: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    outcome = run_variant(
        model, {key: value[None] for key, value in query.items()}, runtime=any_phone_runtime(), timeout_s=60
    )
    if not outcome:
        raise CheckFailed(f"{model.name} does not run on {any_phone_runtime()}: {outcome.reason}")
    return {name: value[0] for name, value in outcome.arrays.items()}
