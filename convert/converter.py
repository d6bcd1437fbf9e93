"""From a SavedModel signature to the bytes of a TFLite file."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ..core.errors import InputError, pick
from ..runtimes.model_file.reader import PortDict
from ..runtimes.model_file.schema import SIGNATURE
from ..train.export.savedmodels import LoadedSignature
from ..train.tf import tf
from .flatbuffer.table_ids import with_counted_table_ids

# TensorFlow's objects: modules, concrete functions and TensorSpecs.
TfObject: TypeAlias = Any


def convert_function(
    module: TfObject, function: TfObject, *, signature: str = SIGNATURE, allow_select_tf_ops: bool = False
) -> bytes:
    """Convert a concrete function of `module` to float32 TFLite.

    Args:
        signature: its name in the file.
        allow_select_tf_ops: as for `convert_saved_model`.

    Raises:
        InputError: the graph needs ops that TFLite does not have.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        save_function(module, function, Path(scratch), signature)
        return convert_saved_model(Path(scratch), signature=signature, allow_select_tf_ops=allow_select_tf_ops)


def save_function(module: TfObject, function: TfObject, folder: Path, signature: str = SIGNATURE) -> None:
    """Write a SavedModel of one concrete function of `module` and of what it reads, nothing else."""
    tf.saved_model.save(_only_what_it_captures(module, function), str(folder), signatures={signature: function})


def _only_what_it_captures(module: TfObject, function: TfObject) -> TfObject:
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
        allow_select_tf_ops: let TensorFlow's own ops into the file, which then needs a runtime with the Flex delegate.
        optimize: the converter's own dynamic-range quantization (Optimize.DEFAULT), for comparison only.

    Raises:
        InputError: ops that TFLite does not have; they are named with the layers that need them.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[signature])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if allow_select_tf_ops:
        converter.target_spec.supported_ops.append(tf.lite.OpsSet.SELECT_TF_OPS)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        return with_counted_table_ids(converter.convert())
    except Exception as error:  # the converter raises bare Exception subclasses of several modules
        raise _refusal(error, _float64_inputs(folder, signature)) from error


_UNSUPPORTED = re.compile(r"""fused\["\w+:", "([^"@]+)[^\n]*?'tf\.(\w+)' op is neither""")
# Operators that want ids instead of text.
_TEXT_OPS = re.compile(r"Lookup|String|Hash|Unicode|Regex")
_FREE_SHAPE = re.compile(
    r"'(tf\.\w+)' op (?:requires|has dynamic)[^\n]*(?:static|dynamic)|static[^\n]*shape", re.IGNORECASE
)
_CONVERTER_NOISE = re.compile(
    r"^\s*(?:For example|Please|note:|<unknown>:0: note:|see current operation)", re.IGNORECASE
)
_LOCATION = re.compile(r"^loc\(.*\):\s*")


def _refusal(error: Exception, float64: list[str]) -> InputError:
    """The converter's error in one line: each op that TFLite lacks with its layer, and what to do about it."""
    text = str(error)
    named = _named_ops(text)
    if named:
        given, expected = ", ".join(named), "ops that TFLite has"
    else:
        given, expected = _telling_line(text) or type(error).__name__, "a graph that TFLite can hold"
    return InputError(
        "conversion", expected=expected, given=given, do=_advice(text, named, float64), code="MODEL_UNSUPPORTED"
    )


def _named_ops(text: str) -> list[str]:
    layers: dict[str, list[str]] = {}
    for path, op in _UNSUPPORTED.findall(text):
        layer = "/".join(path.split("/")[:-1]).removesuffix("/None_Lookup")
        known = layers.setdefault(f"tf.{op}", [])
        if layer and layer not in known:
            known.append(layer)
    return [f"{op} in {' and '.join(sorted(where))}" if where else op for op, where in sorted(layers.items())]


def _advice(text: str, named: list[str], float64: list[str]) -> str:
    if float64:
        return f"convert a signature with float32 inputs: {', '.join(float64)} is float64"
    if any(_TEXT_OPS.search(op) for op in named):
        return "look ids up outside the graph and convert a signature keyed by int32 ids, or pass --allow-select-tf-ops"
    if _FREE_SHAPE.search(text):
        return "convert a signature whose input shapes are fixed, such as a batch of 1"
    if named:
        return "replace those ops, or pass --allow-select-tf-ops"
    return "convert another signature"


def _telling_line(text: str) -> str:
    """The line that says what is wrong: the first with `error:`, else the last that is no advice of the converter's."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _CONVERTER_NOISE.match(line)]
    errors = [_LOCATION.sub("", line.partition("error: ")[2]) for line in lines if "error: " in line]
    return (errors or lines[-1:] or [""])[0][:200]


def _float64_inputs(folder: Path, signature: str) -> list[str]:
    specs = tf.saved_model.load(str(folder)).signatures[signature].structured_input_signature[1]
    return sorted(name for name, spec in specs.items() if spec.dtype == tf.float64)


def ports_of(specs: Mapping[str, TfObject]) -> list[PortDict]:
    """The inputs of a SavedModel's signature as a file's ports: name, shape with -1 where free, dtype.

    Raises:
        InputError: an input of unknown rank, which no .tflite file can have.
    """
    if unranked := sorted(name for name, spec in specs.items() if spec.shape.rank is None):
        raise InputError(
            "--signature",
            expected="inputs of known rank",
            given=f"{', '.join(unranked)} of unknown rank",
            do="save the signature with the shapes of its inputs",
            code="MODEL_UNSUPPORTED",
        )
    return [
        {"name": name, "shape": [-1 if n is None else n for n in spec.shape], "dtype": spec.dtype.name}
        for name, spec in specs.items()
    ]


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
            code="INPUT_MISSING" if not folder.exists() else "INPUT_UNREADABLE",
        )
    owner = tf.saved_model.load(str(folder))
    if not owner.signatures:
        raise InputError(
            "--saved-model",
            expected="a SavedModel with signatures",
            given=f"{folder}, which has none",
            do="save it with signatures=...",
            code="SIGNATURE_UNKNOWN",
        )
    name = pick("--signature", signature or next(iter(owner.signatures)), owner.signatures)
    return name, LoadedSignature(owner, owner.signatures[name])
