"""What golden.json may hold, checked before any model runs: types, shapes, finite numbers, tolerances that can be missed."""

from collections.abc import Iterable, Mapping
from itertools import chain

import msgspec
import numpy as np

from ...core.errors import CheckFailed
from ...core.records.record import Json
from ...core.scoring import MASKED_BELOW
from ..answering.bundle import Bundle
from ..format.golden import GOLDEN_SCHEMA, Golden, GoldenQuery, GoldenVector, decode
from ..format.manifest import BundledModel, BundlePort, Manifest
from ..format.strict_json import parse_json

# float32 rounding is always allowed.
_LEAST_TOLERANCE = 1e-5
# Beyond the spread of the values it is about, a tolerance would accept any answer. The kit's own reach 0.46 of it (int4_rows, the
# queries of a pair); half the largest magnitude applies where all answers are nearly equal, as in a tiny catalogue.
_MOST_OF_MAGNITUDE = 0.5


def read_golden(bundle: Bundle) -> Golden:
    """A bundle's golden vectors and queries, fit to be replayed.

    Raises:
        CheckFailed: malformed, of another schema, about other models, tokens or shapes, or a tolerance that anything would meet.
    """
    name = bundle.manifest.golden
    document = parse_json((bundle.folder / name).read_bytes(), name, "GOLDEN_INVALID")
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != GOLDEN_SCHEMA:
        raise _fail(f"{name}: schema {schema!r}, this kit reads {GOLDEN_SCHEMA}")
    try:
        golden = msgspec.convert(document, Golden)
        _check_vectors(bundle.manifest, golden.vectors)
        _check_queries(bundle, golden.queries)
    except msgspec.ValidationError as error:
        raise _fail(f"{name}: malformed: {error}") from None
    except CheckFailed as error:
        raise CheckFailed(f"{name}: {error}", code=error.code) from None
    return golden


def _fail(reason: str) -> CheckFailed:
    return CheckFailed(reason, code="GOLDEN_INVALID")


def _check_vectors(manifest: Manifest, vectors: list[GoldenVector]) -> None:
    models = {model.file: model for model in manifest.models}
    if uncovered := set(models) ^ {vector.model for vector in vectors}:
        raise _fail(f"models and golden vectors differ on {', '.join(sorted(uncovered))}")
    outputs: dict[str, dict[str, list[np.ndarray]]] = {file: {} for file in models}
    for vector in vectors:
        model = models[vector.model]
        _tensors(vector.inputs, model, model.inputs, "input")
        for name, array in _tensors(vector.outputs, model, model.outputs, "output").items():
            outputs[vector.model].setdefault(name, []).append(array.reshape(-1))
    for vector in vectors:
        pooled = (np.concatenate(values) for values in outputs[vector.model].values())
        _check_tolerance(vector.tolerance, (values for values in pooled if values.dtype.kind == "f"))


def _tensors(
    tensors: Mapping[str, Json], model: BundledModel, ports: list[BundlePort], kind: str
) -> dict[str, np.ndarray]:
    """One side of a vector: every port of the model, and no other, with the model's dtype and shape."""
    known, of = {port.name: port for port in ports}, f"golden vectors of {model.file}: {kind}"
    if tensors.keys() != known.keys():
        raise _fail(f"{of}s are not those of the model")
    arrays = {name: decode(tensor) for name, tensor in tensors.items()}
    for name, array in arrays.items():
        port = known[name]
        fits = len(port.shape) == array.ndim and all(
            want in (-1, n) for want, n in zip(port.shape, array.shape, strict=True)
        )
        if array.dtype.name != port.dtype or not fits:
            given = f"{array.dtype.name}{list(array.shape)}"
            raise _fail(f"{of} {name} is {given}, the model's is {port.dtype}{port.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise _fail(f"{of} {name} is not finite")
    sizes = chain.from_iterable(zip(known[name].shape, array.shape, strict=True) for name, array in arrays.items())
    free = {n for want, n in sizes if want == -1}
    if len(free) > 1 or 0 in free:
        raise _fail(f"{of}s disagree on the number of items")
    return arrays


def _check_tolerance(tolerance: float, answers: Iterable[np.ndarray]) -> None:
    """Refuse a tolerance that is not positive, or wider than the spread of the answers, so that it could not be missed."""
    most = _LEAST_TOLERANCE
    for values in answers:
        known = values[values > MASKED_BELOW]
        if known.size:
            most = max(most, float(np.ptp(known)), _MOST_OF_MAGNITUDE * float(np.abs(known).max()))
    if not 0 < tolerance <= most:
        raise _fail(f"tolerance {tolerance!r}, expected more than 0 and at most {most:.3g}: a wider one could not fail")


def _check_queries(bundle: Bundle, queries: list[GoldenQuery]) -> None:
    names, manifest = bundle.catalogue, bundle.manifest
    known = {
        "items": set(names.items),
        "users": set(names.users),
        "preferences": set(names.preferences),
        "genres": set(names.genres),
    }
    for number, query in enumerate(queries):
        try:
            _check_question(query, known, manifest)
            _check_answer(query, known["items"], gives_ratings=bundle.layout.gives_ratings)
        except CheckFailed as error:
            raise CheckFailed(f"query {number}: {error}", code=error.code) from None
    scores = np.array([value for query in queries for value in query.scores], np.float64)
    if not scores.size:
        raise _fail("its queries have no answers")
    for query in queries:
        _check_tolerance(query.tolerance, [scores])


def _require_known(tokens: list[str], known: set[str], what: str) -> None:
    if len(set(tokens)) != len(tokens):
        raise _fail(f"{what}: one is named twice")
    if unknown := [token for token in tokens if token not in known]:
        raise _fail(f"{what}: {unknown[0]!r} is in no vocabulary")


def _check_question(query: GoldenQuery, known: Mapping[str, set[str]], manifest: Manifest) -> None:
    low, high = manifest.rating_range
    for token, rating in query.history:  # an item may occur more than once: it then counts once
        _require_known([token], known["items"], "history")
        if rating is not None and not low <= rating <= high:
            raise _fail(f"history: rating {rating!r}, expected null or {low:g} to {high:g}")
    _require_known(query.preferences, known["preferences"], "preferences")
    _require_known(query.genres, known["genres"], "genres")
    if query.user is not None:
        _require_known([query.user], known["users"], "user")
    if query.top > manifest.k:
        raise _fail(f"top {query.top}, expected 1 to {manifest.k}")


def _check_answer(query: GoldenQuery, items: set[str], *, gives_ratings: bool) -> None:
    _require_known(query.items, items, "items")
    if len(query.items) > query.top:
        raise _fail(f"{len(query.items)} items for top {query.top}")
    if gives_ratings == (query.stars is None):
        raise _fail(f"stars are {'missing' if query.stars is None else 'not expected'}")
    for name, values in (("scores", query.scores), ("stars", query.stars)):
        if values is not None and len(values) != len(query.items):
            raise _fail(f"{len(values)} {name} for {len(query.items)} items")
