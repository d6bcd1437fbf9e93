"""From a SavedModel signature to the bytes of a TFLite file."""

import re
import tempfile
from pathlib import Path
from typing import Any

from ..core.errors import InputError, pick
from ..train.export.savedmodels import LoadedSignature
from ..train.tf import tf

SIGNATURE = "serving_default"


def convert_function(
    module: Any, function: Any, *, signature: str = SIGNATURE, allow_select_tf_ops: bool = False
) -> bytes:
    """Convert a concrete function of `module` to float32 TFLite.

    Args:
        signature: its name in the file.
        allow_select_tf_ops: as for `convert_saved_model`.

    Raises:
        InputError: the graph needs ops that TFLite does not build in.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        save_function(module, function, Path(scratch), signature)
        return convert_saved_model(Path(scratch), signature=signature, allow_select_tf_ops=allow_select_tf_ops)


def save_function(module: Any, function: Any, folder: Path, signature: str = SIGNATURE) -> None:
    """Write a SavedModel of one concrete function of `module` and of what it reads, nothing else."""
    tf.saved_model.save(_only_what_it_captures(module, function), str(folder), signatures={signature: function})


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


def convert_saved_model(
    folder: Path, *, signature: str, allow_select_tf_ops: bool = False, optimize: bool = False
) -> bytes:
    """Convert one signature of a SavedModel to float32 TFLite.

    Args:
        allow_select_tf_ops: let TensorFlow's own ops into the file; such a file needs a runtime with the Flex delegate.
        optimize: the converter's own dynamic-range quantization (Optimize.DEFAULT), which this kit only compares itself with.

    Raises:
        InputError: ops that TFLite does not build in; they are named with the layers that brought them.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[signature])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if allow_select_tf_ops:
        converter.target_spec.supported_ops.append(tf.lite.OpsSet.SELECT_TF_OPS)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        return converter.convert()
    except Exception as error:  # the converter raises bare Exception subclasses of several modules
        raise _plain(error) from error


_UNSUPPORTED = re.compile(r"""fused\["\w+:", "([^"@]+)[^\n]*?'tf\.(\w+)' op is neither""")


def _plain(error: Exception) -> InputError:
    """What the converter meant: each op that TFLite lacks, with the layer whose part it is."""
    text = str(error)
    layers: dict[str, list[str]] = {}
    for path, op in _UNSUPPORTED.findall(text):
        layer = "/".join(path.split("/")[:-1]).removesuffix("/None_Lookup")
        known = layers.setdefault(f"tf.{op}", [])
        if layer and layer not in known:
            known.append(layer)
    named = [f"{op} in {' and '.join(sorted(where))}" if where else op for op, where in sorted(layers.items())]
    if not named:
        last = text.strip().splitlines()[-1] if text.strip() else type(error).__name__
        return InputError(
            "conversion", expected="a graph TFLite can hold", given=last[:200], do="convert another signature"
        )
    return InputError(
        "conversion",
        expected="ops that TFLite builds in",
        given=", ".join(named),
        do="look ids up outside the graph and convert a signature keyed by int32 ids, or pass --allow-select-tf-ops",
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
