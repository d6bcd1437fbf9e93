"""Golden vectors and queries: real questions with their answers, small enough to ship and to replay in any language.

Vectors are a model's tensors; a tensor is `{"dtype", "shape", "base64"}` with little-endian values in row-major order, or
`{"dtype": "string", "shape", "values"}`. Queries are asked in ids and tokens and answered in ids, through everything that
an app does: they fail where a vocabulary and a model have parted.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..benchmarks.query_inputs import Query
from ..convert.graphs import MASKED_BELOW
from ..train.errors import CheckFailed
from .answering import Arrays, Found, Loaded

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


def make_golden(
    loaded: Loaded, queries: Sequence[Query], tensors: Sequence[Query], tolerances: Mapping[str, float], tolerance: float, top: int
) -> dict[str, Any]:  # fmt: skip
    """golden.json of a bundle: each of its models' answers to queries, and the bundle's own.

    Args:
        queries: asked end to end.
        tensors: those whose inputs to each model and outputs are kept as tensors.
        tolerances: by graph, the largest difference of a float output that a device may show.
        tolerance: the same of the bundle's scores and stars.
        top: items of an answer that are kept.

    Raises:
        CheckFailed: a model does not run.
    """
    asked = {graph: [loaded.inputs(graph, query) for query in tensors] for graph in loaded.models}
    found, outputs = loaded.answers(queries, top, asked)
    vectors = [
        {
            "model": loaded.models[graph]["file"],
            "inputs": {name: encode(value) for name, value in inputs.items()},
            "outputs": {name: encode(value) for name, value in answered.items()},
            "tolerance": tolerances[graph],
        }
        for graph in asked
        for inputs, answered in zip(asked[graph], outputs[graph], strict=True)
    ]
    rows = [_said(loaded, query, one, top, tolerance) for query, one in zip(queries, found, strict=True)]
    return {"schema": GOLDEN_SCHEMA, "vectors": vectors, "queries": rows}


def to_text(golden: Mapping[str, Any]) -> str:
    """golden.json, a vector or query a line."""
    lists = (f' "{name}": [\n{_lines(golden[name])}\n ]' for name in ("vectors", "queries"))
    return f'{{\n "schema": {json.dumps(golden["schema"])},\n' + ",\n".join(lists) + "\n}\n"


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return ",\n".join(f"  {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in rows)


def _said(loaded: Loaded, query: Query, found: Found, top: int, tolerance: float) -> dict[str, Any]:
    """A query and its answer in tokens."""
    names = loaded.catalogue
    stars = [float(value) or None for value in query.stars]
    return {
        "history": [[names.items[item], value] for item, value in zip(query.seen.tolist(), stars, strict=True)],
        "preferences": list(query.preferences),
        "genres": list(query.genres),
        "user": names.users[query.user] if 0 <= query.user < len(names.users) else None,
        "top": top,
        "items": [names.items[item] for item in found.ids.tolist()],
        "scores": [float(value) for value in found.scores],
        "stars": None if found.stars is None else [float(value) for value in found.stars],
        "tolerance": tolerance,
    }


def replay(loaded: Loaded, golden: Mapping[str, Any]) -> tuple[int, int]:
    """Replay vectors and queries on an installed phone runtime; returns how many of each there were.

    Raises:
        CheckFailed: malformed, a model does not run, or answers beyond the tolerance.
    """
    graphs = {model["file"]: graph for graph, model in loaded.models.items()}
    vectors = [_vector(graphs, vector) for vector in golden["vectors"]]
    queries = [_asked(loaded, row) for row in golden["queries"]]
    also = {graph: [inputs for of, inputs, _, _ in vectors if of == graph] for graph in loaded.models}
    found, outputs = loaded.answers(queries, max((row["top"] for row in golden["queries"]), default=1), also)
    answered = {graph: iter(rows) for graph, rows in outputs.items()}
    for number, (graph, _, expected, tolerance) in enumerate(vectors):
        if reason := difference(expected, next(answered[graph]), tolerance):
            raise CheckFailed(f"golden vector {number} of {loaded.models[graph]['file']}: {reason}")
    for number, (row, one) in enumerate(zip(golden["queries"], found, strict=True)):
        if reason := _unlike(loaded, row, one):
            raise CheckFailed(f"golden query {number}: {reason}")
    return len(vectors), len(queries)


def _vector(graphs: Mapping[str, str], vector: Mapping[str, Any]) -> tuple[str, Arrays, Arrays, float]:
    decoded = [{name: decode(tensor) for name, tensor in vector[side].items()} for side in ("inputs", "outputs")]
    return graphs[vector["model"]], decoded[0], decoded[1], float(vector["tolerance"])


def _asked(loaded: Loaded, row: Mapping[str, Any]) -> Query:
    """A golden query's tokens as ids.

    Raises:
        CheckFailed: a token is in no vocabulary.
    """
    names = loaded.catalogue
    ids = {token: number for number, token in enumerate(names.items)}
    users = {token: number for number, token in enumerate(names.users)}
    nothing = np.empty(0, np.int32)
    try:
        seen = np.array([ids[token] for token, _ in row["history"]], np.int32)
        stars = np.array([value or 0.0 for _, value in row["history"]], np.float32)
        user = -1 if row["user"] is None else users[row["user"]]
        [names.preferences.index(token) for token in row["preferences"]]
        [names.genres.index(token) for token in row["genres"]]
    except (KeyError, ValueError) as error:
        raise CheckFailed(f"golden queries: a token is in no vocabulary ({error})") from error
    return Query(user, nothing, nothing.astype(np.float32), seen, stars, row["preferences"], row["genres"])


def _unlike(loaded: Loaded, row: Mapping[str, Any], found: Found) -> str:
    """Why an answer is not the golden one; '' when it is."""
    ids = {token: number for number, token in enumerate(loaded.catalogue.items)}
    unknown = [token for token in row["items"] if token not in ids]
    if unknown:
        return f"{unknown[0]!r} is in no vocabulary"
    wanted = np.array([ids[token] for token in row["items"]], np.int64)
    got = found.ids[: row["top"]]
    if len(got) != len(wanted):
        return f"{len(got)} items instead of {len(wanted)}"
    _, at, there = np.intersect1d(wanted, got, return_indices=True)
    if len(at) < LEAST_OVERLAP * len(wanted):
        return f"shares {len(at)} of {len(wanted)} items with the expected ones"
    for name, values in (("scores", found.scores), ("stars", found.stars)):
        if (row[name] is None) != (values is None):
            return f"{name} are {'expected' if values is None else 'not expected'}"
        if values is None:
            continue
        if len(row[name]) != len(wanted):
            return f"{len(row[name])} {name} for {len(wanted)} items"
        far = np.abs(np.asarray(row[name], np.float64)[at] - values[there])
        if not (far <= row["tolerance"]).all():
            return f"{name} differ by up to {far.max():.3g}, beyond {row['tolerance']:.3g}"
    return ""


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
