"""What is inside a .tflite file, and the traps it holds."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.files.hashing import sha256_bytes
from ..core.records.inspection import Delegation, Inspection, OpUse, SignatureRecord, Table
from ..core.records.variants import Port, Trap
from .gpu_traps import gpu_traps
from .model_file.reader import TABLE_INPUT, Op, PortDict, Tensor, TfliteFile, parse_tflite, read_bytes
from .probing import GPU_TIMEOUT_S, delegate_plan, gpu_plan

# Fewer weights than this stay float32: their bytes do not matter, and the converter keeps to the same bound.
LEAST_WEIGHTS = 1024
# XNNPACK of TensorFlow 2.18.1 multiplies int8 inputs wrongly on x86 processors with VNNI where columns are no multiple of this
# (decision 28), whoever made the file.
WHOLE_COLUMNS = 4

_RESHAPERS = ("BROADCAST_TO", "BROADCAST_ARGS", "RESHAPE")
_NARROW = ("int8", "int4", "int2", "uint8")
# Custom operators that every TensorFlow Lite interpreter registers (TensorFlow's lite/core/kernels/register.cc).
_REGISTERED_CUSTOM = ("NumericVerify", "Mfcc", "AudioSpectrogram", "TFLite_Detection_PostProcess")
_FLEX = "Flex"
# The trap of a table that a quantized file keeps in float32.
FLOAT_TABLE = "float-table"


def inspect_model(
    model: bytes | str | os.PathLike[str], *, gpu: bool = False, gpu_timeout_s: float = GPU_TIMEOUT_S
) -> Inspection:
    """Describe a .tflite file: signatures, ops, tables, minimum runtime, what XNNPACK takes, traps.

    Args:
        model: the path of a file, or its bytes.
        gpu: whether LiteRT's GPU accelerator is asked what it takes, too.
        gpu_timeout_s: time limit of its compilation, in seconds.

    Raises:
        InputError: no readable .tflite file; with `gpu`, no GPU accelerator or no driver for it.
    """
    path = None if isinstance(model, bytes) else Path(model)
    data = model if isinstance(model, bytes) else read_bytes(Path(model))
    file = parse_tflite(data, str(path or "model"))
    plan = delegate_plan(data)
    inputs, outputs = file.ports()
    return Inspection(
        schema="pocketrec.inspect/1",
        file=path.name if path else "",
        sha256=sha256_bytes(data),
        size_bytes=file.size_bytes,
        signatures=[SignatureRecord(s["key"], _ports(s["inputs"]), _ports(s["outputs"])) for s in file.signatures],
        ops=_op_uses(file, plan.delegated),
        min_runtime=file.min_runtime,
        xnnpack=Delegation(
            runtime=plan.runtime,
            reason=plan.reason,
            n_delegated=None if plan.delegated is None else sum(plan.delegated),
            n_ops=len(file.ops),
            partitions=plan.partitions,
        ),
        tables=[_table(tensor, file.size_bytes) for tensor in file.tables()],
        traps=[*find_traps(file, plan.delegated), *gpu_traps(file)],
        inputs=_ports(inputs),
        outputs=_ports(outputs),
        gpu=gpu_plan(data, timeout_s=gpu_timeout_s) if gpu else None,
    )


def _ports(ports: Iterable[PortDict]) -> list[Port]:
    return [Port(**port) for port in ports]


def _table(tensor: Tensor, size_bytes: int) -> Table:
    share = round(tensor.n_bytes / size_bytes, 4)
    return Table(tensor.name, list(tensor.shape), tensor.dtype, tensor.n_bytes, share, tensor.scales, tensor.subgraph)


def _op_uses(file: TfliteFile, delegated: Sequence[bool] | None) -> list[OpUse]:
    taken = [op for op, is_taken in zip(file.ops, delegated or [], strict=False) if is_taken]

    def calls(ops: Iterable[Op], name: str, version: int) -> int:
        return sum((op.name, op.version) == (name, version) for op in ops)

    uses = []
    for row in file.op_counts():
        key = row["name"], row["version"]
        n_taken = None if delegated is None else calls(taken, *key)
        uses.append(OpUse(*key, row["count"], calls(file.ops, *key), n_taken))
    return uses


def find_traps(file: TfliteFile, delegated: Sequence[bool] | None = None) -> list[Trap]:
    """Known ways in which a file that converts still fails an app; each with a name and where it was seen.

    Args:
        delegated: for each operator whether XNNPACK takes it; without it, breaks in delegation cannot be seen.
    """
    found = [
        *_whole_table_dequantize(file),
        *(trap for op in file.ops for trap in _of_op(file, op)),
        *_float_tables(file),
        *(_delegation_breaks(file, delegated) if delegated else ()),
    ]
    if any(op.name.startswith("HASHTABLE") for op in file.all_ops):
        found.append(Trap("string-table", "HASHTABLE ops; the vocabulary is imported on the first call"))
    found += _unregistered(file)
    if not file.signatures:
        found.append(Trap("missing-signature", "inputs and outputs can be found by position only"))
    return list(dict.fromkeys(found))


def _unregistered(file: TfliteFile) -> list[Trap]:
    """Operators that the interpreters of apps do not bring."""
    custom = sorted({op.name for op in file.all_ops if op.is_custom and op.name not in _REGISTERED_CUSTOM})
    flex = [name for name in custom if name.startswith(_FLEX)]
    others = [name for name in custom if not name.startswith(_FLEX)]
    found = []
    if others:
        found.append(Trap("custom-op", f"{', '.join(others)}; only an app that registers the kernel runs it"))
    if flex:
        found.append(Trap("select-tf-ops", f"{', '.join(flex)}; only a runtime with the Flex delegate runs them"))
    return found


def _whole_table_dequantize(file: TfliteFile) -> list[Trap]:
    made_by = {output: op for op in file.ops for output in op.outputs}
    found = []
    for op in file.ops:
        source = made_by.get(op.inputs[TABLE_INPUT[op.name]]) if op.name in TABLE_INPUT else None
        if source is not None and source.name == "DEQUANTIZE" and file.tensors[source.inputs[0]].n_bytes:
            table = file.tensors[source.inputs[0]]
            found.append(Trap("whole-table-dequantize", f"{table.name} {list(table.shape)} before {op.name}"))
    return found


def _of_op(file: TfliteFile, op: Op) -> Iterable[Trap]:
    if op.name == "FULLY_CONNECTED":
        yield from _of_fully_connected(file, op)
    elif op.name == "EMBEDDING_LOOKUP" and op.version < 4 and file.tensors[op.inputs[1]].scales > 1:
        yield Trap(
            "mislabelled-per-channel",
            f"{op.name} version {op.version} with one scale per row; before 2.18 silently wrong",
        )
    elif op.name == "BATCH_MATMUL":
        yield Trap("reference-kernel", "BATCH_MATMUL runs unoptimised on LiteRT 2.0.2 and later")


def _of_fully_connected(file: TfliteFile, op: Op) -> Iterable[Trap]:
    label = f"{op.name} version {op.version}"
    source, weights = file.tensors[op.inputs[0]], file.tensors[op.inputs[1]]
    is_hybrid = source.dtype == "float32" and weights.dtype in ("int8", "int4")
    if op.version >= 12:
        yield Trap("per-channel-fully-connected", f"{label}; runtimes before 2.17 refuse it")
    elif is_hybrid and weights.scales > 1 and weights.dtype == "int8":
        yield Trap("mislabelled-per-channel", f"{label} with {weights.scales} scales; before 2.17 silently wrong")
    if weights.dtype == "int8" and source.dtype != "int16" and weights.shape[-1] % WHOLE_COLUMNS:
        yield Trap(
            "ragged-int8-columns", f"FULLY_CONNECTED of {weights.shape[-1]} columns; 2.18 is wrong on x86 with VNNI"
        )
    if source.dtype == "int16" and weights.dtype == "int8":
        yield Trap("reference-kernel", "FULLY_CONNECTED on int16 activations runs unoptimised")


def float32_tables(file: TfliteFile) -> list[Tensor]:
    """Constants of a file that quantization should have made narrow: larger matrices, and vectors that are looked up."""
    looked_up = {index for op in file.ops for index in file.looked_up(op)}
    return [
        tensor
        for tensor in file.tables(4 * LEAST_WEIGHTS)
        if tensor.dtype == "float32" and (len(tensor.shape) > 1 or (not tensor.subgraph and tensor.index in looked_up))
    ]


def float_table_trap(tensor: Tensor) -> Trap:
    """The trap of a table that was left in float32."""
    name = tensor.name or "a constant"
    return Trap(FLOAT_TABLE, f"{name} {list(tensor.shape)}, {tensor.n_bytes} bytes of float32 in a quantized file")


def _float_tables(file: TfliteFile) -> list[Trap]:
    looked_up = {index for op in file.ops for index in file.looked_up(op)}
    tables = [t for t in file.tables() if len(t.shape) > 1 or (not t.subgraph and t.index in looked_up)]
    if not any(t.dtype in _NARROW for t in tables):
        return []
    return [float_table_trap(tensor) for tensor in float32_tables(file)]


def _delegation_breaks(file: TfliteFile, delegated: Sequence[bool]) -> list[Trap]:
    """Reshaping operators between delegated ones that the delegate does not take."""
    before = _reaches(file, delegated, backwards=False)
    after = _reaches(file, delegated, backwards=True)
    return [
        Trap("breaks-delegation", f"{op.name} stands between operators that XNNPACK takes")
        for number, op in enumerate(file.ops)
        if op.name in _RESHAPERS and not delegated[number] and before[number] and after[number]
    ]


def _reaches(file: TfliteFile, delegated: Sequence[bool], *, backwards: bool) -> list[bool]:
    """For each operator, whether a delegated one comes before it (or after it) along the data."""
    marked: set[int] = set()
    reached = [False] * len(file.ops)
    numbers = range(len(file.ops))
    for number in reversed(numbers) if backwards else numbers:
        op = file.ops[number]
        ins, outs = (op.outputs, op.inputs) if backwards else (op.inputs, op.outputs)
        reached[number] = bool(marked.intersection(ins))
        if reached[number] or delegated[number]:
            marked.update(outs)
    return reached
