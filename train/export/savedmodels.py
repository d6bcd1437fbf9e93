"""Writing SavedModels, and checking that a loaded one returns what the trained one did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...core.errors import CheckFailed
from ..tf import Tensor, tf


@dataclass(frozen=True)
class Export:
    """One SavedModel to write.

    Attributes:
        module: the tf.Module or Keras model that holds the weights.
        signatures: name to concrete function; `serving_default` is the one a server calls.
        probe: inputs on which `serving_default` is compared before and after.
        namespaces: namespaces of custom ops to allow, such as `Scann`.
    """

    module: Tensor
    signatures: Mapping[str, Tensor]
    probe: Mapping[str, np.ndarray]
    namespaces: tuple[str, ...] = field(default=())


def write_saved_model(export: Export, folder: Path) -> None:
    """Save, load again and compare `serving_default` bit for bit on the probe.

    Raises:
        CheckFailed: an output of the loaded model differs.
    """
    options = tf.saved_model.SaveOptions(namespace_whitelist=list(export.namespaces))
    tf.saved_model.save(export.module, str(folder), signatures=dict(export.signatures), options=options)
    before = call_signature(export.signatures["serving_default"], export.probe)
    after = call_signature(load_signature(folder, "serving_default"), export.probe)
    for name, expected in before.items():
        # ScaNN pads with NaN when the leaves it searched hold fewer than k items.
        if not np.array_equal(expected, after[name], equal_nan=expected.dtype.kind == "f"):
            raise CheckFailed(
                f"SavedModel {folder.name}: output {name!r} differs after loading; the run was not written",
                code="SAVEDMODEL_MISMATCH",
            )


@dataclass(frozen=True)
class LoadedSignature:
    """A signature of a loaded SavedModel, and the object that keeps its variables alive."""

    owner: Tensor
    function: Tensor

    def __call__(self, **inputs: Tensor) -> Mapping[str, Tensor]:
        return self.function(**{name: tf.constant(value) for name, value in inputs.items()})

    @property
    def specs(self) -> dict[str, Tensor]:
        """Input specs by name."""
        return self.function.structured_input_signature[1]


def load_signature(folder: Path, name: str) -> LoadedSignature:
    """Load a SavedModel and take one of its signatures."""
    owner = tf.saved_model.load(str(folder))
    return LoadedSignature(owner, owner.signatures[name])


def call_signature(signature: Callable[..., Tensor], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Call with arrays by name; outputs as arrays by name."""
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in signature(**tensors).items()}
