"""Asking a served SavedModel one query. No TensorFlow is imported here: the signature brings it."""

from typing import Any

import numpy as np

from ...core.queries.model_inputs import feed
from ...core.queries.query import Catalogue, Query


def ask(signature: Any, query: Query, names: Catalogue) -> dict[str, np.ndarray]:
    """A served SavedModel's answer to one query, with a batch of one where its inputs have a batch."""
    inputs = {}
    for name, spec in signature.specs.items():
        value = feed(name, query, names, as_served=True)
        value = value.astype(object) if value.dtype.kind == "S" else value
        inputs[name] = value[None] if spec.shape.rank == value.ndim + 1 else value
    return {name: value.numpy() for name, value in signature(**inputs).items()}
