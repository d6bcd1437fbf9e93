"""Making golden vectors and queries from a bundle's own answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.queries.query import Query
from ..answering.bundle_inference import Found, Loaded
from ..format.golden import GOLDEN_SCHEMA, encode


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
