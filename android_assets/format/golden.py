"""Golden vectors as text: arrays, tolerances, and the file's layout."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import CheckFailed
from ...core.scoring import MASKED_BELOW

GOLDEN_SCHEMA = "pocketrec.golden/1"


# Ids may change places among scores closer than the tolerance; this share of them must still be the same set.
LEAST_OVERLAP = 0.9


_DTYPES = {"float32", "float16", "int32", "int64", "int16", "int8", "uint8", "bool"}


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
        if tensor["dtype"] not in _DTYPES:
            raise ValueError(f"dtype {tensor['dtype']!r}")
        dtype = np.dtype(tensor["dtype"]).newbyteorder("<")
        flat = np.frombuffer(base64.b64decode(tensor["base64"], validate=True), dtype)
        return flat.reshape(tensor["shape"]).astype(dtype.newbyteorder("="))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckFailed(f"golden vectors: a malformed tensor ({error})") from error


def to_text(golden: Mapping[str, Any]) -> str:
    """golden.json, a vector or query a line."""
    lists = (f' "{name}": [\n{_lines(golden[name])}\n ]' for name in ("vectors", "queries"))
    return f'{{\n "schema": {json.dumps(golden["schema"])},\n' + ",\n".join(lists) + "\n}\n"


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return ",\n".join(f"  {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in rows)


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
