"""What is inside a .tflite file, and the traps it holds."""

from pathlib import Path
from typing import Any

from ..train.artifacts import sha256_file
from .tflite_file import Op, TfliteFile, read_tflite

_LOOKUPS = ("GATHER", "EMBEDDING_LOOKUP")


def inspect_file(path: Path) -> dict[str, Any]:
    """Describe a .tflite file: signatures, ops, tables (bytes, dtype, share of the file), least runtime, traps.

    Raises:
        InputError: the file is not a readable .tflite.
    """
    file = read_tflite(path)
    return {
        "schema": "pocketrec.inspect/1",
        "file": path.name,
        "sha256": sha256_file(path),
        "size_bytes": file.size_bytes,
        "signatures": file.signatures,
        "ops": file.op_counts(),
        "min_runtime": file.min_runtime,
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
        "traps": find_traps(file),
    }


def find_traps(file: TfliteFile) -> list[dict[str, str]]:
    """Known ways in which a file that converts still fails an app; each with a name and where it was seen."""
    found = [
        *_whole_table_dequantize(file),
        *_versions(file),
        *_float_tables(file),
    ]
    if any(op.name.startswith("HASHTABLE") for op in file.ops):
        found.append({"trap": "string-table", "where": "HASHTABLE ops; the vocabulary is imported on the first call"})
    if not file.signatures:
        found.append({"trap": "missing-signature", "where": "inputs and outputs can be found by position only"})
    return found


def _whole_table_dequantize(file: TfliteFile) -> list[dict[str, str]]:
    made_by = {output: op for op in file.ops for output in op.outputs}
    found = []
    for op in file.ops:
        source: Op | None = made_by.get(op.inputs[0]) if op.name in _LOOKUPS and op.inputs else None
        if source is not None and source.name == "DEQUANTIZE" and file.tensors[source.inputs[0]].n_bytes:
            table = file.tensors[source.inputs[0]]
            found.append(
                {"trap": "whole-table-dequantize", "where": f"{table.name} {list(table.shape)} before {op.name}"}
            )
    return found


def _versions(file: TfliteFile) -> list[dict[str, str]]:
    found = []
    for op in file.op_counts():
        if op["name"] == "FULLY_CONNECTED" and op["version"] >= 12:
            where = f"version {op['version']}; runtimes before 2.17 refuse it"
            found.append({"trap": "per-channel-fully-connected", "where": where})
        if op["name"] == "BATCH_MATMUL":
            found.append(
                {"trap": "reference-kernel", "where": "BATCH_MATMUL runs unoptimised on LiteRT 2.0.2 and later"}
            )
    return found


def _float_tables(file: TfliteFile) -> list[dict[str, str]]:
    tables = [t for t in file.tables() if len(t.shape) > 1]
    if not any(t.dtype in ("int8", "int4", "uint8") for t in tables):
        return []
    return [
        {"trap": "float-table", "where": f"{t.name} {list(t.shape)}, {t.n_bytes} bytes of float32 in a quantized file"}
        for t in tables
        if t.dtype == "float32"
    ]
