"""What golden.json may say, checked before anything is asked: types, shapes, finite numbers, tolerances that can be missed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import CheckFailed
from ...core.scoring import MASKED_BELOW
from ..answering.bundle_inference import Loaded
from ..format.golden import GOLDEN_SCHEMA, decode
from ..format.layouts import LAYOUTS
from ..format.manifest import is_number
from ..format.strict_json import parse_json

_MOST_ROWS = 1000
# float32 rounding is always allowed.
_LEAST_TOLERANCE = 1e-5
# Beyond the spread of what it is about, a tolerance would let any answer pass. The kit's own reach 0.46 of it (int4_rows, a pair's
# queries); half the largest magnitude stands in where all answers are nearly one, as in a tiny catalogue.
_MOST_OF_MAGNITUDE = 0.5


def read_golden(loaded: Loaded) -> dict[str, Any]:
    """A bundle's golden vectors and queries, fit to be replayed.

    Raises:
        CheckFailed: malformed, of another schema, about other models, tokens or shapes, or a tolerance that anything would meet.
    """
    name = loaded.manifest["golden"]
    document = parse_json((loaded.folder / name).read_bytes(), name)
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != GOLDEN_SCHEMA:
        raise CheckFailed(f"{name}: schema {schema!r}, this kit reads {GOLDEN_SCHEMA}")
    try:
        _check_vectors(loaded, document.get("vectors"))
        _check_queries(loaded, document.get("queries"))
    except CheckFailed as error:
        raise CheckFailed(f"{name}: {error}") from None
    return document


def _records(rows: Any, what: str, keys: Collection[str]) -> Sequence[Mapping[str, Any]]:
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_ROWS:
        raise CheckFailed(f"malformed: expected 1 to {_MOST_ROWS} {what}")
    for row in rows:
        if not isinstance(row, dict) or not row.keys() >= set(keys):
            raise CheckFailed(f"malformed: one of the {what} lacks {', '.join(keys)}")
    return rows


def _check_vectors(loaded: Loaded, rows: Any) -> None:
    models = {model["file"]: model for model in loaded.manifest["models"]}
    spread: dict[str, dict[str, list[np.ndarray]]] = {file: {} for file in models}
    vectors = _records(rows, "vectors", ("model", "inputs", "outputs", "tolerance"))
    if uncovered := set(models) ^ {str(vector["model"]) for vector in vectors}:
        raise CheckFailed(f"models and golden vectors differ on {', '.join(sorted(uncovered))}")
    for vector in vectors:
        for side in ("inputs", "outputs"):
            arrays = _tensors(vector[side], models[vector["model"]], side)
            for name in arrays if side == "outputs" else ():
                spread[vector["model"]].setdefault(name, []).append(arrays[name].reshape(-1))
    for vector in vectors:
        pooled = (np.concatenate(values) for values in spread[vector["model"]].values())
        _check_tolerance(vector["tolerance"], (values for values in pooled if values.dtype.kind == "f"))


def _tensors(tensors: Any, model: Mapping[str, Any], side: str) -> dict[str, np.ndarray]:
    """One side of a vector: every port of the model, and no other, as the model has it."""
    ports, of = {port["name"]: port for port in model[side]}, f"golden vectors of {model['file']}: {side[:-1]}"
    if not isinstance(tensors, dict) or tensors.keys() != ports.keys():
        raise CheckFailed(f"{of}s are not the model's")
    arrays = {name: decode(tensor if isinstance(tensor, dict) else {}) for name, tensor in tensors.items()}
    for name, array in arrays.items():
        shape = ports[name]["shape"]
        fits = len(shape) == array.ndim and all(want in (-1, n) for want, n in zip(shape, array.shape, strict=True))
        if array.dtype.name != ports[name]["dtype"] or not fits:
            raise CheckFailed(
                f"{of} {name} is {array.dtype.name}{list(array.shape)}, the model's {ports[name]['dtype']}{shape}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckFailed(f"{of} {name} is not finite")
    free = {
        n
        for name, array in arrays.items()
        for want, n in zip(ports[name]["shape"], array.shape, strict=True)
        if want == -1
    }
    if len(free) > 1 or 0 in free:
        raise CheckFailed(f"{of}s disagree on how many items they are about")
    return arrays


def _check_tolerance(tolerance: Any, answers: Iterable[np.ndarray]) -> None:
    """Raises:
    CheckFailed: no positive number, or wider than the answers spread, so that it could not fail.
    """
    most = _LEAST_TOLERANCE
    for values in answers:
        known = values[values > MASKED_BELOW]
        if known.size:
            most = max(most, float(np.ptp(known)), _MOST_OF_MAGNITUDE * float(np.abs(known).max()))
    if not is_number(tolerance) or not 0 < tolerance <= most:
        raise CheckFailed(
            f"tolerance {tolerance!r}, expected more than 0 and at most {most:.3g}: a wider one could not fail"
        )


def _check_queries(loaded: Loaded, rows: Any) -> None:
    keys = ("history", "preferences", "genres", "user", "top", "items", "scores", "stars", "tolerance")
    queries, names = _records(rows, "queries", keys), loaded.catalogue
    known = {name: set(getattr(names, name)) for name in ("items", "users", "preferences", "genres")}
    for number, row in enumerate(queries):
        try:
            _check_question(row, known, loaded.manifest)
            _check_answer(row, known["items"], loaded.manifest)
        except CheckFailed as error:
            raise CheckFailed(f"query {number}: {error}") from None
    scores = np.array([value for row in queries for value in row["scores"]], np.float64)
    if not scores.size:
        raise CheckFailed("its queries have no answers")
    for row in queries:
        _check_tolerance(row["tolerance"], [scores])


def _distinct(tokens: Any, known: set[str], what: str) -> list[str]:
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise CheckFailed(f"malformed: {what} are no list of tokens")
    if len(set(tokens)) != len(tokens):
        raise CheckFailed(f"{what} name one twice")
    if unknown := [token for token in tokens if token not in known]:
        raise CheckFailed(f"{what}: {unknown[0]!r} is in no vocabulary")
    return tokens


def _check_question(row: Mapping[str, Any], known: Mapping[str, set[str]], manifest: Mapping[str, Any]) -> None:
    history, (low, high) = row["history"], manifest["rating_range"]
    if not isinstance(history, list) or not all(isinstance(entry, list) and len(entry) == 2 for entry in history):
        raise CheckFailed("malformed: history is no list of pairs")
    for token, _ in history:  # one item may stand there more than once: it then counts once
        _distinct([token], known["items"], "history")
    for _, stars in history:
        if stars is not None and not (is_number(stars) and low <= stars <= high):
            raise CheckFailed(f"history: {stars!r} stars, expected null or {low:g} to {high:g}")
    _distinct(row["preferences"], known["preferences"], "preferences")
    _distinct(row["genres"], known["genres"], "genres")
    if row["user"] is not None:
        _distinct([row["user"]], known["users"], "user")
    if type(row["top"]) is not int or not 1 <= row["top"] <= manifest["k"]:
        raise CheckFailed(f"top {row['top']!r}, expected 1 to {manifest['k']}")


def _check_answer(row: Mapping[str, Any], items: set[str], manifest: Mapping[str, Any]) -> None:
    found = _distinct(row["items"], items, "items")
    if len(found) > row["top"]:
        raise CheckFailed(f"{len(found)} items for top {row['top']}")
    if LAYOUTS[manifest["layout"]].has_candidates != (row["stars"] is None):
        raise CheckFailed(f"stars are {'missing' if row['stars'] is None else 'not expected'}")
    for name in ("scores", "stars"):
        values = row[name]
        if name == "stars" and values is None:
            continue
        if not isinstance(values, list) or not all(map(is_number, values)) or len(values) != len(found):
            raise CheckFailed(f"malformed: {name} are no list of a number for each of {len(found)} items")
