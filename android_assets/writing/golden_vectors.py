"""Making golden vectors and queries from a bundle's own answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...core.queries.held_out import HeldOut
from ...core.queries.query import Query
from ..answering.bundle import Bundle
from ..format.answers import TopK
from ..format.golden import GOLDEN_SCHEMA, Golden, GoldenQuery, GoldenVector, encode
from ..format.manifest import Manifest
from .bundle_writer import BundleWriter

# float32 rounding is always allowed.
LEAST_TOLERANCE = 1e-5
# Items of a golden answer, and of the short golden history.
_TOP, _FEW = 10, 3


def add_golden(
    writer: BundleWriter,
    manifest: Manifest,
    data: HeldOut,
    tolerances: Mapping[str, float],
    tolerance: float,
    more: Sequence[Query] = (),
) -> None:
    """Write golden.json: two held-out users as tensors; as queries one of them, a short history narrowed to a genre, preferences
    alone, and `more`.

    Args:
        tolerances, tolerance: see `make_golden`.
    """
    bundle = Bundle(writer.folder, manifest)
    whole = [replace(query, items=query.items[:_TOP]) for query in data.queries[:: max(1, len(data.queries) // 2)][:2]]
    known = {*bundle.catalogue.preferences}  # none where models are keyed by user
    queries = [
        replace(query, preferences=sorted({*query.preferences} & known))
        for query in [*_typical_queries(bundle, whole), *more]
    ]
    golden = make_golden(bundle, queries, whole, tolerances, tolerance, min(_TOP, bundle.most))
    writer.add(manifest.golden, "golden").write_text(golden.to_text(), encoding="utf-8")


def _typical_queries(bundle: Bundle, whole: Sequence[Query]) -> list[Query]:
    first, last = whole[0], whole[-1]
    names = bundle.catalogue
    short = replace(last, seen=last.seen[-_FEW:], stars=last.stars[-_FEW:], genres=names.genres[:1])
    nothing = replace(last, seen=last.seen[:0], stars=last.stars[:0], preferences=names.preferences[-1:])
    return [first, short, nothing] if names.preferences else [first, short]


def make_golden(
    bundle: Bundle,
    queries: Sequence[Query],
    tensors: Sequence[Query],
    tolerances: Mapping[str, float],
    tolerance: float,
    top: int,
) -> Golden:
    """golden.json of a bundle: each of its models' outputs for queries, and the bundle's own answers.

    Args:
        queries: answered end to end.
        tensors: whose inputs to each model and outputs are kept as tensors.
        tolerances: by graph, the largest difference of a float output that a device may show.
        tolerance: the same of the bundle's scores and ratings.
        top: items of an answer that are kept.

    Raises:
        CheckFailed: a model does not run.
    """
    models = {model.graph: model.file for model in bundle.manifest.models}
    inputs = {graph: [bundle.inputs(graph, query) for query in tensors] for graph in models}
    found, outputs = bundle.answers(queries, top, inputs)
    vectors = [
        GoldenVector(
            models[graph],
            {name: encode(value) for name, value in asked.items()},
            {name: encode(value) for name, value in answered.items()},
            tolerances[graph],
        )
        for graph in models
        for asked, answered in zip(inputs[graph], outputs[graph], strict=True)
    ]
    rows = [_in_tokens(bundle, query, one, top, tolerance) for query, one in zip(queries, found, strict=True)]
    return Golden(GOLDEN_SCHEMA, vectors, rows)


def _in_tokens(bundle: Bundle, query: Query, found: TopK, top: int, tolerance: float) -> GoldenQuery:
    names = bundle.catalogue
    ratings = [float(value) or None for value in query.stars]
    return GoldenQuery(
        history=[(names.items[item], rating) for item, rating in zip(query.seen.tolist(), ratings, strict=True)],
        preferences=list(query.preferences),
        genres=list(query.genres),
        user=names.users[query.user] if 0 <= query.user < len(names.users) else None,
        top=top,
        items=[names.items[item] for item in found.ids.tolist()],
        scores=[float(value) for value in found.scores],
        stars=None if found.ratings is None else [float(value) for value in found.ratings],
        tolerance=tolerance,
    )
