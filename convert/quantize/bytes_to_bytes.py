"""A recipe on a .tflite model in memory, of any origin."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...core.errors import InputError, pick
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.npz_inputs import feeds_of_npz
from ...runtimes.probing import execute
from .calibration import measure, watching
from .dense_layers import Flows
from .quantizer import apply_recipe, prepare
from .recipes import RECIPES


def quantize_bytes(model: bytes, recipe: str, calibration: Mapping[str, np.ndarray] | None = None) -> bytes:
    """Rewrite a float32 .tflite model under a recipe.

    Args:
        model: a flatbuffer as a converter writes it without optimizations.
        recipe: a key of `RECIPES`.
        calibration: representative inputs by name, axis 0 the queries, as `feeds_of_npz` takes them.

    Raises:
        InputError: no flatbuffer, an unknown recipe, calibration that is missing or does not fit.
    """
    chosen = RECIPES[pick("recipe", recipe, RECIPES)]
    if chosen.activations and calibration is None:
        raise InputError(
            "calibration",
            expected=f"representative inputs for {recipe}",
            given="none",
            do="pass arrays by input name",
            code="OPTION_MISSING",
        )
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        read_tflite(folder / "model.tflite")
        prepared = prepare(model)
        flows = None if calibration is None else _flows(prepared, calibration, folder)
        return apply_recipe(prepared, chosen, flows)


def _flows(prepared: bytes, calibration: Mapping[str, np.ndarray], folder: Path) -> Flows:
    """What the calibration puts through the model's dense layers."""
    path = folder / "watching.tflite"
    path.write_bytes(watching(prepared))
    np.savez(folder / "calibration.npz", **dict(calibration))
    feeds = feeds_of_npz(folder / "calibration.npz", read_tflite(path).ports()[0], "calibration")
    return measure(prepared, feeds, execute(path, feeds))
