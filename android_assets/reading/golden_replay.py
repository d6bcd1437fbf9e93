"""Replaying golden vectors and queries."""

from collections.abc import Mapping

import numpy as np

from ...core.errors import CheckFailed
from ...core.queries.query import Query
from ..answering.bundle import Bundle
from ..format.answers import Arrays, TopK
from ..format.golden import LEAST_OVERLAP, Golden, GoldenQuery, decode, difference


def replay(bundle: Bundle, golden: Golden) -> tuple[int, int]:
    """Replay vectors and queries, which `read_golden` checked, on an installed phone runtime; returns how many of each there were.

    Raises:
        CheckFailed: a model does not run (RUNTIME_FAILED), or answers beyond the tolerance (GOLDEN_MISMATCH).
    """
    graphs = {model.file: model.graph for model in bundle.manifest.models}
    inputs: dict[str, list[Arrays]] = {graph: [] for graph in graphs.values()}
    for vector in golden.vectors:
        inputs[graphs[vector.model]].append({name: decode(tensor) for name, tensor in vector.inputs.items()})
    ids = {token: number for number, token in enumerate(bundle.catalogue.items)}
    queries = [_query(bundle, query, ids) for query in golden.queries]
    found, outputs = bundle.answers(queries, max(query.top for query in golden.queries), inputs)
    got = {graph: iter(rows) for graph, rows in outputs.items()}
    for number, vector in enumerate(golden.vectors):
        expected = {name: decode(tensor) for name, tensor in vector.outputs.items()}
        if reason := difference(expected, next(got[graphs[vector.model]]), vector.tolerance):
            raise CheckFailed(f"golden vector {number} of {vector.model}: {reason}", code="GOLDEN_MISMATCH")
    for number, (query, one) in enumerate(zip(golden.queries, found, strict=True)):
        if reason := _difference(query, one, ids):
            raise CheckFailed(f"golden query {number}: {reason}", code="GOLDEN_MISMATCH")
    return len(golden.vectors), len(golden.queries)


def _query(bundle: Bundle, query: GoldenQuery, ids: Mapping[str, int]) -> Query:
    """A golden query's tokens as ids."""
    nothing = np.empty(0, np.int32)
    seen = np.array([ids[token] for token, _ in query.history], np.int32)
    ratings = np.array([rating or 0.0 for _, rating in query.history], np.float32)
    user = -1 if query.user is None else bundle.catalogue.users.index(query.user)
    return Query(user, nothing, nothing.astype(np.float32), seen, ratings, query.preferences, query.genres)


def _difference(query: GoldenQuery, found: TopK, ids: Mapping[str, int]) -> str:
    """Why an answer is not the golden one; '' when it is."""
    wanted = np.array([ids[token] for token in query.items], np.int64)
    got = found.ids[: query.top]
    if len(got) != len(wanted):
        return f"{len(got)} items instead of {len(wanted)}"
    _, at, there = np.intersect1d(wanted, got, return_indices=True)
    if len(at) < LEAST_OVERLAP * len(wanted):
        return f"shares {len(at)} of {len(wanted)} items with the expected ones"
    for name, expected, values in (("scores", query.scores, found.scores), ("stars", query.stars, found.ratings)):
        if expected is None or values is None:
            if expected is not values:
                return f"{name} are {'expected' if values is None else 'not expected'}"
            continue
        far = np.abs(np.asarray(expected, np.float64)[at] - values[there])
        if not (far <= query.tolerance).all():
            return f"{name} differ by up to {far.max():.3g}, beyond {query.tolerance:.3g}"
    return ""
