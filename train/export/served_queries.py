"""Calling a SavedModel's serving signature with queries. No TensorFlow is imported here: the signature brings it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from ...core.queries.model_inputs import feed
from ...core.queries.query import Catalogue, Query


class Shape(Protocol):
    """Of a tensor; its rank is the number of dimensions."""

    @property
    def rank(self) -> int: ...


class Spec(Protocol):
    """What a signature expects as one input."""

    @property
    def shape(self) -> Shape: ...


class Output(Protocol):
    """An eager tensor."""

    def numpy(self) -> np.ndarray: ...


class Signature(Protocol):
    """A loaded signature, such as `LoadedSignature`."""

    @property
    def specs(self) -> Mapping[str, Spec]: ...

    def __call__(self, **inputs: np.ndarray) -> Mapping[str, Output]: ...


def ask(signature: Signature, query: Query, names: Catalogue) -> dict[str, np.ndarray]:
    """Outputs of a serving signature for one query, by name; a batch of one where the inputs have a batch dimension."""
    inputs = {}
    for name, spec in signature.specs.items():
        value = feed(name, query, names, as_served=True)
        value = value.astype(object) if value.dtype.kind == "S" else value
        inputs[name] = value[None] if spec.shape.rank == value.ndim + 1 else value
    return {name: value.numpy() for name, value in signature(**inputs).items()}


# Inputs with one row per candidate of a query, without a batch dimension: rows of several queries follow each other.
_PER_CANDIDATE = {"user_id", "movie_title"}


def ask_together(signature: Signature, queries: Sequence[Query], names: Catalogue, output: str) -> list[np.ndarray]:
    """One output of a serving signature for each of several queries, in one call where its inputs allow that.

    Returns:
        For each query an array whose first axis is the query's candidates, or 1 where the output has one row per query.
    """
    specs = signature.specs
    if set(specs) <= _PER_CANDIDATE:
        rows = {name: np.concatenate([_served(name, query, names) for query in queries]) for name in specs}
        found = signature(**rows)[output].numpy()
        return np.split(found, np.cumsum([len(query.items) for query in queries])[:-1])
    if any(spec.shape.rank != 2 for spec in specs.values()):
        return [ask(signature, query, names)[output].reshape(len(query.items), -1) for query in queries]
    found = signature(**{name: _stacked([_served(name, query, names) for query in queries]) for name in specs})
    values = found[output].numpy()
    if "candidates" not in specs:
        return list(values[:, None])
    return [row[len(row) - len(query.items) :] for row, query in zip(values, queries, strict=True)]


def _served(name: str, query: Query, names: Catalogue) -> np.ndarray:
    value = feed(name, query, names, as_served=True)
    if name in ("watched", "stars") and names.window:
        value = value[-names.window :]
    return value.astype(object) if value.dtype.kind == "S" else value


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    """[n, longest]: shorter rows are filled up in front, with b'' or 0."""
    longest = max(map(len, rows))
    filled = np.full((len(rows), longest), b"" if rows[0].dtype == object else 0, rows[0].dtype)
    for row, values in zip(filled, rows, strict=True):
        row[longest - len(values) :] = values
    return filled
