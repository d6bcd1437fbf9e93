"""Reading a .tflite file without running it: signatures, ops, constant tensors. Any file, ours or not."""

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import InputError
from .op_versions import least_runtime
from .schema import IDENTIFIER, OPERATOR_NAMES, names_of, parse_model, schema

_MAX_BYTES = 2**31
_TYPES = {value: name.lower() for value, name in names_of(schema.TensorType).items()}


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph; `n_bytes` is 0 where no constant is stored.

    Attributes:
        shape: as stored; -1 marks a free dimension.
        scales: number of quantization scales (0 none, 1 per tensor, more per channel or row).
        buffer: where its bytes are; two tensors may read the same.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    n_bytes: int
    scales: int
    buffer: int


@dataclass(frozen=True)
class Op:
    """One operator call, with indices of its tensors."""

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class TfliteFile:
    """A parsed file; `ops` and `tensors` are the first subgraph's, as runtimes start there."""

    def __init__(self, model: Any, size_bytes: int) -> None:
        self._model, self.size_bytes = model, size_bytes
        self._graph = model.subgraphs[0]

    @cached_property
    def tensors(self) -> list[Tensor]:
        return [self._tensor(index, tensor) for index, tensor in enumerate(self._graph.tensors)]

    def _tensor(self, index: int, tensor: Any) -> Tensor:
        data = self._model.buffers[tensor.buffer].data
        n_bytes = 0 if data is None else len(data)
        n_bytes = n_bytes or int(self._model.buffers[tensor.buffer].size or 0)
        signature = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
        scales = (
            0 if tensor.quantization is None or tensor.quantization.scale is None else len(tensor.quantization.scale)
        )
        shape = tuple(int(n) for n in signature) if signature is not None else ()
        return Tensor(index, _text(tensor.name), shape, _TYPES[tensor.type], n_bytes, scales, tensor.buffer)

    @cached_property
    def ops(self) -> list[Op]:
        return [self._op(op) for op in self._graph.operators or []]

    def _op(self, op: Any) -> Op:
        code = self._model.operatorCodes[op.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = _text(code.customCode) if code.customCode else OPERATOR_NAMES[number]
        return Op(name, int(code.version), _indices(op.inputs), _indices(op.outputs))

    @cached_property
    def all_ops(self) -> list[Op]:
        """Operators of every subgraph, branches and initialisers included."""
        return [self._op(op) for graph in self._model.subgraphs for op in graph.operators or []]

    def op_counts(self) -> list[dict[str, Any]]:
        """Distinct (op, version) of every subgraph with how often each is called, by name."""
        counts = Counter((op.name, op.version) for op in self.all_ops)
        return [{"name": name, "version": version, "count": n} for (name, version), n in sorted(counts.items())]

    @cached_property
    def signatures(self) -> list[dict[str, Any]]:
        """Each signature's key, inputs and outputs (name, shape, dtype)."""
        return [
            {
                "key": _text(signature.signatureKey),
                "inputs": [self._port(_text(port.name), port.tensorIndex) for port in signature.inputs or []],
                "outputs": [self._port(_text(port.name), port.tensorIndex) for port in signature.outputs or []],
            }
            for signature in self._model.signatureDefs or []
        ]

    def ports(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Inputs and outputs of the first signature, or of the graph where the file has none."""
        if self.signatures:
            return self.signatures[0]["inputs"], self.signatures[0]["outputs"]
        names = lambda indices: [self._port(self.tensors[i].name, i) for i in _indices(indices)]  # noqa: E731
        return names(self._graph.inputs), names(self._graph.outputs)

    def _port(self, name: str, index: int) -> dict[str, Any]:
        tensor = self.tensors[index]
        return {"name": name, "shape": list(tensor.shape), "dtype": tensor.dtype}

    @cached_property
    def min_runtime(self) -> str | None:
        """Least TensorFlow Lite release that knows every operator's version; where one is unknown, what the converter stamped."""
        return least_runtime((op.name, op.version) for op in self.all_ops) or self._stamp()

    def _stamp(self) -> str | None:
        stamp = self.metadata("min_runtime_version")
        return stamp.rstrip(b"\0").decode() or None if stamp is not None else None

    def metadata(self, name: str) -> bytes | None:
        """Bytes of the metadata entry of that name; None where the file has none."""
        for entry in self._model.metadata or []:
            if _text(entry.name) == name:
                return bytes(self._model.buffers[entry.buffer].data)
        return None

    def tables(self, least_bytes: int = 1024) -> list[Tensor]:
        """Constant tensors of at least `least_bytes`, largest first; bytes that several tensors read are counted once."""
        first = {t.buffer: t for t in reversed(self.tensors) if t.n_bytes >= least_bytes}
        return sorted(first.values(), key=lambda t: (-t.n_bytes, t.index))

    def table_bytes(self) -> Mapping[str, int]:
        """Bytes held by tables, by dtype."""
        totals: Counter[str] = Counter()
        for tensor in self.tables():
            totals[tensor.dtype] += tensor.n_bytes
        return dict(sorted(totals.items()))


def read_tflite(path: Path) -> TfliteFile:
    """Parse a .tflite file.

    Raises:
        InputError: missing, empty, truncated, 2 GB or more, or not a TFLite flatbuffer.
    """
    try:
        size = path.stat().st_size
        if size >= _MAX_BYTES:
            raise _refusal(str(path), f"{size} bytes; a flatbuffer ends before 2147483648")
        data = path.read_bytes()
    except OSError as error:
        raise _refusal(str(path), error.strerror or "an unreadable file") from None
    return parse_tflite(data, str(path))


def _refusal(name: str, given: str) -> InputError:
    return InputError(name, expected="a .tflite file", given=given, do="convert it again, or copy it again")


def parse_tflite(data: bytes, name: str = "model") -> TfliteFile:
    """Parse the bytes of a .tflite file; `name` is what an error calls them.

    Raises:
        InputError: empty, truncated, or not a TFLite flatbuffer.
    """
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise _refusal(name, "an empty file" if not data else f"{len(data)} bytes without the TFL3 identifier")
    try:
        parsed = TfliteFile(parse_model(data), len(data))
        _ = parsed.tensors, parsed.ops, parsed.all_ops, parsed.ports(), parsed.min_runtime
    except (
        struct.error,
        IndexError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise _refusal(name, f"a damaged flatbuffer ({type(error).__name__})") from error
    return parsed


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _indices(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(i) for i in np.asarray(values))
