"""Replaying golden vectors and queries."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.errors import CheckFailed
from ...core.queries.query import Query
from ..answering.bundle_inference import Arrays, Found, Loaded
from ..format.golden import LEAST_OVERLAP, decode, difference


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
