"""What the host and worker.c write for each other: a file of queries, and a file of answers. All numbers are little-endian.

A block is a value: int32 bytes of its name, int32 type (`TfLiteType`), int32 rank, int64 bytes, int32 per dimension, the name,
the bytes as TFLite holds them. A file of queries is int32 queries, int32 inputs, and a block for every input of every query. A file
of answers is blocks to its end: every output of every query, then measurements.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...core.queries.packing import names_of, packed, queries_of
from ..workers.c_api_interpreter import DTYPES, packed_strings, unpacked_strings

_HEAD = struct.Struct("<iiiq")
_STRING = 5
_TYPES = {np.dtype(dtype): code for code, dtype in DTYPES.items() if dtype is not np.bytes_}
# Arrays that are no outputs, and how the names of single measurements begin.
_TIMES = ("samples_ns", "overhead_ns")
_META = "meta."


def queries_file(inputs: Mapping[str, np.ndarray]) -> bytes:
    """The file of packed queries (core/queries/packing.py)."""
    parts, n_queries = [], 0
    for query in queries_of(inputs):
        n_queries += 1
        parts += [_block(name, value) for name, value in query.items()]
    return struct.pack("<ii", n_queries, len(names_of(inputs))) + b"".join(parts)


def _block(name: str, value: np.ndarray) -> bytes:
    is_text = value.dtype.kind in "SU"
    data = packed_strings(value.astype(object)) if is_text else np.ascontiguousarray(value).tobytes()
    code, title = _STRING if is_text else _TYPES[value.dtype], name.encode()
    head = _HEAD.pack(len(title), code, value.ndim, len(data))
    return head + np.array(value.shape, "<i4").tobytes() + title + data


def read_answers(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The outputs of a file of answers, packed as a worker's are, and its measurements."""
    rows: dict[str, list[np.ndarray]] = {}
    for name, value in _blocks(data):
        rows.setdefault(name, []).append(value)
    meta = {name.removeprefix(_META): int(rows.pop(name)[0]) for name in [*rows] if name.startswith(_META)}
    times = {name: rows.pop(name)[0] for name in _TIMES if name in rows}
    return {**packed(rows, flat=True), **times}, meta


def _blocks(data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    at = 0
    while at < len(data):
        n_name, code, rank, n_bytes = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        shape = np.frombuffer(data, "<i4", rank, at)
        at += 4 * rank
        name, held = data[at : at + n_name].decode(), data[at + n_name : at + n_name + n_bytes]
        at += n_name + n_bytes
        yield name, (unpacked_strings(held) if code == _STRING else np.frombuffer(held, DTYPES[code])).reshape(shape)
