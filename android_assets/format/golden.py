"""golden.json: answers to be reproduced. Its records, arrays as text, and the comparison with tolerances."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from ...core.errors import CheckFailed
from ...core.records.record import Doc, Json, Record
from ...core.scoring import MASKED_BELOW

GOLDEN_SCHEMA = "pocketrec.golden/1"
MOST_ROWS = 1000
# Ids may change places among scores closer than the tolerance; this share of them must still be the same set.
LEAST_OVERLAP = 0.9
_DTYPES = {"float32", "float16", "int32", "int64", "int16", "int8", "uint8", "bool"}


@dataclass(frozen=True)
class GoldenVector(Record):
    """Inputs of a model, and its outputs."""

    model: Annotated[str, Doc("the model's file")]
    inputs: Annotated[dict[str, Json], Doc("tensors by name")]
    outputs: Annotated[dict[str, Json], Doc("tensors by name")]
    tolerance: Annotated[float, Doc("largest difference of a float output")]


@dataclass(frozen=True)
class GoldenQuery(Record):
    """A query in tokens, and the bundle's answer."""

    history: Annotated[list[tuple[str, float | None]], Doc("item id and rating, oldest first; null: not rated")]
    preferences: list[str]
    genres: list[str]
    user: str | None
    top: Annotated[int, Meta(ge=1), Doc("how many items were asked for")]
    items: Annotated[list[str], Doc("item ids, best first")]
    scores: list[float]
    stars: Annotated[list[float] | None, Doc("predicted ratings; null where no model predicts them")]
    tolerance: Annotated[float, Doc("largest difference of a score or rating")]


@dataclass(frozen=True)
class Golden(Record):
    """golden.json."""

    schema: str
    vectors: Annotated[list[GoldenVector], Meta(min_length=1, max_length=MOST_ROWS)]
    queries: Annotated[list[GoldenQuery], Meta(min_length=1, max_length=MOST_ROWS)]

    def to_text(self) -> str:
        """As the file has it: one vector or query per line."""
        lists = (
            f' "{name}": [\n{_lines(rows)}\n ]' for name, rows in (("vectors", self.vectors), ("queries", self.queries))
        )
        return f'{{\n "schema": {json.dumps(self.schema)},\n' + ",\n".join(lists) + "\n}\n"


def _lines(rows: Sequence[Record]) -> str:
    return ",\n".join(f"  {json.dumps(row.to_json(), ensure_ascii=False, allow_nan=False)}" for row in rows)


def encode(array: np.ndarray) -> Json:
    """An array as JSON: dtype, shape, and base64 of its little-endian bytes in C order; strings as a list."""
    if array.dtype.kind in "SUO":
        values = [v.decode() if isinstance(v, bytes) else str(v) for v in array.reshape(-1).tolist()]
        return {"dtype": "string", "shape": list(array.shape), "values": values}
    data = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": base64.b64encode(data).decode()}


@dataclass(frozen=True)
class _Tensor:
    """What `decode` reads."""

    dtype: str
    shape: list[int]
    values: list[str] | None = None
    base64: str | None = None


def decode(tensor: Mapping[str, object]) -> np.ndarray:
    """An array from JSON.

    Raises:
        CheckFailed: the tensor is malformed.
    """
    try:
        found = msgspec.convert(tensor, _Tensor)
        if found.dtype == "string" and found.values is not None:
            return np.array([value.encode() for value in found.values]).reshape(found.shape)
        if found.dtype not in _DTYPES or found.base64 is None:
            raise ValueError(f"dtype {found.dtype!r}")
        dtype = np.dtype(found.dtype).newbyteorder("<")
        flat = np.frombuffer(base64.b64decode(found.base64, validate=True), dtype)
        return flat.reshape(found.shape).astype(dtype.newbyteorder("="))
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
        raise CheckFailed(f"golden vectors: a malformed tensor ({error})", code="GOLDEN_INVALID") from error


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
