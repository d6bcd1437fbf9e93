"""What LiteRT's GPU accelerator computes wrongly, or dies of: patterns of a file, each tried as a graph alone (docs/gpu.md)."""

from collections.abc import Iterable

from ..core.records.variants import Trap
from .model_file.reader import Op, TfliteFile

# Operators of two values that were tried with a constant.
_ELEMENTWISE = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW", "GREATER")
# Traps of apps that switch the accelerator on, and of no others.
GPU_TRAPS = (
    "gpu-one-axis-dense",
    "gpu-constant-broadcast",
    "gpu-free-dimension",
    "gpu-unreadable-table",
    "gpu-constant-dequantize",
)
# Tensors of up to so many axes have the first of them taken for the batch.
_FLAT = 2


def gpu_traps(file: TfliteFile) -> list[Trap]:
    """Traps of a file that apps with the GPU accelerator fall into."""
    found = [trap for op in file.ops for trap in (*_wrong(file, op), *_fatal(file, op))]
    found += _free_dimensions(file)
    return list(dict.fromkeys(found))


def gpu_refusal(file: TfliteFile) -> str:
    """Why a file is not given to the accelerator: it would fail or end the process; '' where nothing is known to."""
    traps = [trap for op in file.ops for trap in _fatal(file, op)]
    return f"{traps[0].where} ({traps[0].trap})" if traps else ""


def _wrong(file: TfliteFile, op: Op) -> Iterable[Trap]:
    if op.name == "FULLY_CONNECTED":
        shape = file.tensors[op.inputs[0]].shape
        if len(shape) == 1 and shape[0] != 1:
            yield Trap(
                "gpu-one-axis-dense",
                f"FULLY_CONNECTED of {list(shape)}; LiteRT's GPU accelerator takes that for {shape[0]} vectors of one element",
            )
    elif op.name in _ELEMENTWISE:
        yield from _constant_rows(file, op)


def _constant_rows(file: TfliteFile, op: Op) -> Iterable[Trap]:
    n_axes = len(file.tensors[op.outputs[0]].shape)
    for index in op.inputs:
        tensor = file.tensors[index]
        if tensor.n_bytes and 0 < n_axes <= _FLAT and len(tensor.shape) == n_axes and tensor.shape[0] > 1:
            yield Trap(
                "gpu-constant-broadcast",
                f"{op.name} with a constant {list(tensor.shape)}; LiteRT's GPU accelerator uses its first row for every row",
            )


def _fatal(file: TfliteFile, op: Op) -> Iterable[Trap]:
    if op.name not in ("GATHER", "DEQUANTIZE"):
        return
    table = file.tensors[op.inputs[0]]
    known = f"{op.name} of {table.dtype} {list(table.shape)}"
    is_bytes = table.dtype in ("int8", "uint8")
    if not table.n_bytes:
        return
    if op.name == "DEQUANTIZE":
        if is_bytes and len(table.shape) == _FLAT and table.shape[0] > 1:
            yield Trap("gpu-constant-dequantize", f"{known}, a constant; LiteRT's GPU accelerator does not compile it")
    elif table.dtype == "int16" or (is_bytes and not table.scales):
        without = " without a scale" if is_bytes else ""
        yield Trap(
            "gpu-unreadable-table",
            f"{known}{without}, a constant; LiteRT's GPU accelerator ends the process or answers wrongly",
        )


def _free_dimensions(file: TfliteFile) -> Iterable[Trap]:
    for port in file.ports()[0]:
        if -1 in port["shape"]:
            yield Trap(
                "gpu-free-dimension",
                f"input {port['name']} {port['shape']}; where LiteRT's GPU accelerator leaves operators to the CPU, a call "
                "larger than the first comes out wrong or fails: call the largest size first",
            )
