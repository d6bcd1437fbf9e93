"""What is inside a .tflite file, and the traps it holds."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..core.hashing import sha256_file
from .model_file.reader import Op, TfliteFile, read_tflite
from .probing import plan

# Fewer weights than this stay float32: their bytes are nothing, and the converter keeps to the same bound.
LEAST_WEIGHTS = 1024
# XNNPACK of TensorFlow 2.18.1 multiplies int8 inputs wrongly on x86 processors with VNNI where columns are no multiple of this
# (decision 28), whoever made the file.
WHOLE_COLUMNS = 4

_RESHAPERS = ("BROADCAST_TO", "BROADCAST_ARGS", "RESHAPE")
# Which input of a lookup is its table.
_TABLE_INPUT = {"GATHER": 0, "EMBEDDING_LOOKUP": 1}
_NARROW = ("int8", "int4", "int2", "uint8")
Trap = dict[str, str]


def inspect_file(path: Path) -> dict[str, Any]:
    """Describe a .tflite file: signatures, ops, tables (bytes, dtype, share of the file), least runtime, traps.

    Raises:
        InputError: the file is not a readable .tflite.
    """
    file = read_tflite(path)
    planned = plan(path)
    delegated = list(planned["delegated"]) if not planned["reason"] else None
    return {
        "schema": "pocketrec.inspect/1",
        "file": path.name,
        "sha256": sha256_file(path),
        "size_bytes": file.size_bytes,
        "signatures": file.signatures,
        "ops": _ops(file, delegated),
        "min_runtime": file.min_runtime,
        "xnnpack": {
            "runtime": planned["runtime"],
            "reason": planned["reason"],
            "n_delegated": None if delegated is None else sum(delegated),
            "n_ops": len(file.ops),
            "partitions": planned["partitions"],
        },
        "tables": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "dtype": tensor.dtype,
                "bytes": tensor.n_bytes,
                "share": round(tensor.n_bytes / file.size_bytes, 4),
                "scales": tensor.scales,
            }
            for tensor in file.tables()
        ],
        "traps": find_traps(file, delegated),
    }


def _ops(file: TfliteFile, delegated: Sequence[bool] | None) -> list[dict[str, Any]]:
    taken = [op for op, is_taken in zip(file.ops, delegated or [], strict=False) if is_taken]
    return [
        {
            **row,
            "delegated": None
            if delegated is None
            else sum((op.name, op.version) == (row["name"], row["version"]) for op in taken),
        }
        for row in file.op_counts()
    ]


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
    if any(row["name"].startswith("HASHTABLE") for row in file.op_counts()):
        found.append(_trap("string-table", "HASHTABLE ops; the vocabulary is imported on the first call"))
    flex = sorted({row["name"] for row in file.op_counts() if row["name"].startswith("Flex")})
    if flex:
        found.append(_trap("select-tf-ops", f"{', '.join(flex)}; only a runtime with the Flex delegate runs them"))
    if not file.signatures:
        found.append(_trap("missing-signature", "inputs and outputs can be found by position only"))
    return _counted(found)


def _trap(name: str, where: str) -> Trap:
    return {"trap": name, "where": where}


def _counted(found: Iterable[Trap]) -> list[Trap]:
    """The same trap in the same place is said once."""
    return [dict(pairs) for pairs in dict.fromkeys(tuple(trap.items()) for trap in found)]


def _whole_table_dequantize(file: TfliteFile) -> list[Trap]:
    made_by = {output: op for op in file.ops for output in op.outputs}
    found = []
    for op in file.ops:
        source = made_by.get(op.inputs[_TABLE_INPUT[op.name]]) if op.name in _TABLE_INPUT else None
        if source is not None and source.name == "DEQUANTIZE" and file.tensors[source.inputs[0]].n_bytes:
            table = file.tensors[source.inputs[0]]
            found.append(_trap("whole-table-dequantize", f"{table.name} {list(table.shape)} before {op.name}"))
    return found


def _of_op(file: TfliteFile, op: Op) -> Iterable[Trap]:
    label = f"{op.name} version {op.version}"
    if op.name == "FULLY_CONNECTED":
        source, weights = file.tensors[op.inputs[0]], file.tensors[op.inputs[1]]
        is_hybrid = source.dtype == "float32" and weights.dtype in ("int8", "int4")
        if op.version >= 12:
            yield _trap("per-channel-fully-connected", f"{label}; runtimes before 2.17 refuse it")
        elif is_hybrid and weights.scales > 1 and weights.dtype == "int8":
            yield _trap("mislabelled-per-channel", f"{label} with {weights.scales} scales; before 2.17 silently wrong")
        if weights.dtype == "int8" and source.dtype != "int16" and weights.shape[-1] % WHOLE_COLUMNS:
            yield _trap(
                "ragged-int8-columns", f"FULLY_CONNECTED of {weights.shape[-1]} columns; 2.18 is wrong on x86 with VNNI"
            )
        if source.dtype == "int16" and weights.dtype == "int8":
            yield _trap("reference-kernel", "FULLY_CONNECTED on int16 activations runs unoptimised")
    elif op.name == "EMBEDDING_LOOKUP" and op.version < 4 and file.tensors[op.inputs[1]].scales > 1:
        yield _trap("mislabelled-per-channel", f"{label} with a scale a row; before 2.18 silently wrong")
    elif op.name == "BATCH_MATMUL":
        yield _trap("reference-kernel", "BATCH_MATMUL runs unoptimised on LiteRT 2.0.2 and later")


def _float_tables(file: TfliteFile) -> list[Trap]:
    looked_up = {op.inputs[_TABLE_INPUT[op.name]] for op in file.ops if op.name in _TABLE_INPUT}
    tables = [t for t in file.tables() if t.n_bytes and (len(t.shape) > 1 or t.index in looked_up)]
    if not any(t.dtype in _NARROW for t in tables):
        return []
    return [
        _trap(
            "float-table", f"{t.name or 'a constant'} {list(t.shape)}, {t.n_bytes} bytes of float32 in a quantized file"
        )
        for t in tables
        if t.dtype == "float32" and t.n_bytes >= 4 * LEAST_WEIGHTS
    ]


def _delegation_breaks(file: TfliteFile, delegated: Sequence[bool]) -> list[Trap]:
    """Reshaping operators that the delegate leaves out between others that it takes."""
    before = _reaches(file, delegated, backwards=False)
    after = _reaches(file, delegated, backwards=True)
    return [
        _trap("breaks-delegation", f"{op.name} stands between operators that XNNPACK takes")
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
