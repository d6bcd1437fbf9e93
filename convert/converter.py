"""From a SavedModel signature to the bytes of a TFLite file."""

import re
import tempfile
from pathlib import Path
from typing import Any

from ..train.errors import InputError, pick
from ..train.savedmodels import LoadedSignature
from ..train.tf import tf
from .recipes import RECIPES, Recipe

SIGNATURE = "serving_default"


def convert_function(module: Any, function: Any, *, recipe: str) -> bytes:
    """Convert a concrete function of `module` under `recipe`; its signature in the file is `serving_default`.

    Raises:
        InputError: the recipe is unknown, or the graph needs ops that TFLite does not build in.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        used = _only_what_it_captures(module, function)
        tf.saved_model.save(used, scratch, signatures={SIGNATURE: function})
        return convert_saved_model(Path(scratch), signature=SIGNATURE, recipe=recipe)


def _only_what_it_captures(module: Any, function: Any) -> Any:
    """A module of just the variables and tables that `function` reads.

    Saving the whole module would give an id-keyed file the initialisers, and so the strings, of every lookup beside it.
    """
    captured = {id(tensor) for tensor in function.captured_inputs}
    used = tf.Module()
    used.parts = [
        part
        for part in tf.train.TrackableView(module).descendants()
        if any(id(getattr(part, handle, None)) in captured for handle in ("handle", "resource_handle"))
    ]
    used.function = function
    return used


def convert_saved_model(folder: Path, *, signature: str, recipe: str) -> bytes:
    """Convert one signature of a SavedModel under `recipe`.

    Raises:
        InputError: not a SavedModel, unknown signature or recipe, or ops that TFLite does not build in.
    """
    chosen = RECIPES[pick("--recipe", recipe, RECIPES)]
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[signature])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    _apply(chosen, converter)
    try:
        return converter.convert()
    except Exception as error:  # the converter raises bare Exception subclasses of several modules
        raise _plain(error) from error


def _apply(recipe: Recipe, converter: Any) -> None:
    if recipe.weights == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    # Per-channel dense weights make FULLY_CONNECTED version 12, which runtimes before 2.17 do not know.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def _plain(error: Exception) -> InputError:
    text = str(error)
    ops = sorted({f"tf.{name}" for name in re.findall(r"'?tf\.(\w+)'? op is neither", text)})
    return InputError(
        "conversion",
        expected="ops that TFLite builds in",
        given=", ".join(ops) if ops else text.strip().splitlines()[-1][:200],
        do="convert a signature keyed by int32 ids, with the lookup outside the graph",
    )


def choose_signature(folder: Path, signature: str | None) -> tuple[str, LoadedSignature]:
    """A signature of a SavedModel by name, its first when none is given.

    Raises:
        InputError: `folder` holds no SavedModel, one without signatures, or none of that name.
    """
    if not (folder / "saved_model.pb").is_file():
        raise InputError(
            "--saved-model",
            expected="a SavedModel directory",
            given=str(folder),
            do="point it at the folder of saved_model.pb",
        )
    owner = tf.saved_model.load(str(folder))
    if not owner.signatures:
        raise InputError(
            "--saved-model",
            expected="a SavedModel with signatures",
            given=f"{folder}, which has none",
            do="save it with signatures=...",
        )
    name = pick("--signature", signature or next(iter(owner.signatures)), owner.signatures)
    return name, LoadedSignature(owner, owner.signatures[name])
