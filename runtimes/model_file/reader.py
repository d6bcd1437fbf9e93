"""Reading a .tflite file without running it: signatures, ops, constant tensors. Any file, ours or not."""

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np

from ...core.errors import InputError
from .op_versions import minimum_runtime
from .schema import IDENTIFIER, OPERATOR_NAMES, TYPE_NAMES, FlatObject, parse_model

_MAX_BYTES = 2**31
# Which input of a lookup is its table.
TABLE_INPUT = {"GATHER": 0, "EMBEDDING_LOOKUP": 1}


class PortDict(TypedDict):
    """An input or output, as `core.records.variants.Port` describes it."""

    name: str
    shape: list[int]
    dtype: str


class SignatureDict(TypedDict):
    """A signature, as JSON holds it."""

    key: str
    inputs: list[PortDict]
    outputs: list[PortDict]


class OpCountDict(TypedDict):
    """An operator under a version and how often it is called, as `core.records.variants.OpCount` describes it."""

    name: str
    version: int
    count: int


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        index: its number within the subgraph.
        shape: as stored; -1 marks a free dimension.
        n_bytes: size of the stored constant; 0 where none is stored.
        scales: number of quantization scales (0 none, 1 per tensor, more per channel or row).
        buffer: where its bytes are; two tensors may read the same.
        subgraph: 0 for the one that runtimes start with.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    n_bytes: int
    scales: int
    buffer: int
    subgraph: int = 0


@dataclass(frozen=True)
class Op:
    """One operator call, with the indices of its tensors; `is_custom` where it is none of TFLite's builtin operators."""

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_custom: bool = False


class TfliteFile:
    """A parsed file; `ops` and `tensors` are the first subgraph's, as runtimes start there."""

    def __init__(self, model: FlatObject, size_bytes: int) -> None:
        self._model, self.size_bytes = model, size_bytes
        self._graph = model.subgraphs[0]

    @cached_property
    def _tensors_by_subgraph(self) -> list[list[Tensor]]:
        return [
            [self._tensor(number, index, tensor) for index, tensor in enumerate(graph.tensors or [])]
            for number, graph in enumerate(self._model.subgraphs)
        ]

    @property
    def tensors(self) -> list[Tensor]:
        """Tensors of the first subgraph."""
        return self._tensors_by_subgraph[0]

    def _tensor(self, subgraph: int, index: int, tensor: FlatObject) -> Tensor:
        data = self._model.buffers[tensor.buffer].data
        n_bytes = (0 if data is None else len(data)) or int(self._model.buffers[tensor.buffer].size or 0)
        signature = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
        shape = tuple(int(n) for n in signature) if signature is not None else ()
        known = tensor.quantization
        scales = 0 if known is None or known.scale is None else len(known.scale)
        return Tensor(
            index, _text(tensor.name), shape, TYPE_NAMES[tensor.type], n_bytes, scales, tensor.buffer, subgraph
        )

    @cached_property
    def ops(self) -> list[Op]:
        """Operators of the first subgraph, in execution order."""
        return [self._op(op) for op in self._graph.operators or []]

    def _op(self, op: FlatObject) -> Op:
        code = self._model.operatorCodes[op.opcodeIndex]
        name = _text(code.customCode) or OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        return Op(name, int(code.version), _indices(op.inputs), _indices(op.outputs), bool(code.customCode))

    @cached_property
    def all_ops(self) -> list[Op]:
        """Operators of every subgraph, branches and initialisers included."""
        return [self._op(op) for graph in self._model.subgraphs for op in graph.operators or []]

    def op_counts(self) -> list[OpCountDict]:
        """Distinct (op, version) of every subgraph with how often each is called, by name."""
        counts = Counter((op.name, op.version) for op in self.all_ops)
        return [{"name": name, "version": version, "count": n} for (name, version), n in sorted(counts.items())]

    @cached_property
    def signatures(self) -> list[SignatureDict]:
        """Each signature's key, inputs and outputs."""
        return [
            {
                "key": _text(signature.signatureKey),
                "inputs": self._signature_ports(signature, signature.inputs or []),
                "outputs": self._signature_ports(signature, signature.outputs or []),
            }
            for signature in self._model.signatureDefs or []
        ]

    def _signature_ports(self, signature: FlatObject, ports: Iterable[FlatObject]) -> list[PortDict]:
        tensors = self._tensors_by_subgraph[int(signature.subgraphIndex or 0)]
        return [_port(_text(port.name), tensors[port.tensorIndex]) for port in ports]

    def ports(self) -> tuple[list[PortDict], list[PortDict]]:
        """Inputs and outputs of the first signature, or of the graph where the file has none."""
        if self.signatures:
            return self.signatures[0]["inputs"], self.signatures[0]["outputs"]
        return self._graph_ports(self._graph.inputs), self._graph_ports(self._graph.outputs)

    def _graph_ports(self, indices: FlatObject) -> list[PortDict]:
        return [_port(self.tensors[index].name, self.tensors[index]) for index in _indices(indices)]

    @cached_property
    def min_runtime(self) -> str | None:
        """Minimum TensorFlow Lite release that knows every operator's version; where one is unknown, the converter's own stamp."""
        return minimum_runtime((op.name, op.version) for op in self.all_ops) or self._stamp()

    def _stamp(self) -> str | None:
        stamp = self.metadata("min_runtime_version")
        return stamp.rstrip(b"\0").decode() or None if stamp is not None else None

    def metadata(self, name: str) -> bytes | None:
        """Bytes of the metadata entry of that name; None where the file has none."""
        for entry in self._model.metadata or []:
            if _text(entry.name) == name:
                return bytes(self._model.buffers[entry.buffer].data)
        return None

    def looked_up(self, op: Op) -> list[int]:
        """Index of the table that an operator of the first subgraph looks rows up in; empty where it looks up nothing."""
        return [op.inputs[TABLE_INPUT[op.name]]] if op.name in TABLE_INPUT else []

    def tables(self, least_bytes: int = 1024) -> list[Tensor]:
        """Constant tensors of at least `least_bytes`, largest first, those of initialisers and branches included.

        Bytes that several tensors read are counted once, as those of the first.
        """
        tensors = [tensor for subgraph in self._tensors_by_subgraph for tensor in subgraph]
        first = {t.buffer: t for t in reversed(tensors) if t.n_bytes >= least_bytes}
        return sorted(first.values(), key=lambda t: (-t.n_bytes, t.subgraph, t.index))

    def table_bytes(self) -> Mapping[str, int]:
        """Bytes held by tables, by dtype."""
        totals: Counter[str] = Counter()
        for tensor in self.tables():
            totals[tensor.dtype] += tensor.n_bytes
        return dict(sorted(totals.items()))


def _port(name: str, tensor: Tensor) -> PortDict:
    return {"name": name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def read_tflite(path: Path) -> TfliteFile:
    """Parse a .tflite file.

    Raises:
        InputError: missing, empty, truncated, 2 GB or more, or not a TFLite flatbuffer.
    """
    return parse_tflite(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that can be a .tflite file by its size.

    Raises:
        InputError: missing, unreadable, or 2 GB or more.
    """
    try:
        size = path.stat().st_size
        if size >= _MAX_BYTES:
            raise _refusal(str(path), f"{size} bytes; a flatbuffer ends before {_MAX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        raise _refusal(str(path), error.strerror or "an unreadable file", is_missing=is_missing) from None


def _refusal(name: str, given: str, *, is_missing: bool = False) -> InputError:
    return InputError(
        name,
        expected="a .tflite file",
        given=given,
        do="convert it again, or copy it again",
        code="INPUT_MISSING" if is_missing else "MODEL_INVALID",
    )


def parse_tflite(data: bytes, name: str = "model") -> TfliteFile:
    """Parse the bytes of a .tflite file; errors call it `name`.

    Raises:
        InputError: empty, truncated, or not a TFLite flatbuffer.
    """
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise _refusal(name, "an empty file" if not data else f"{len(data)} bytes without the TFL3 identifier")
    try:
        parsed = TfliteFile(parse_model(data), len(data))
        _ = parsed.tensors, parsed.ops, parsed.all_ops, parsed.ports(), parsed.tables(), parsed.min_runtime
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


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _indices(values: FlatObject) -> tuple[int, ...]:
    return () if values is None else tuple(int(i) for i in np.asarray(values))
