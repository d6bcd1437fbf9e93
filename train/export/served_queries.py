"""Calling a SavedModel's serving signature with one query. No TensorFlow is imported here: the signature brings it."""

from collections.abc import Mapping
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
