"""Editing a .tflite model: constants, operators, and packing it again small and aligned.

Only the first subgraph is edited; others (the string tables' initialisers, branches) are kept as they are.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np

from ...runtimes.model_file.op_versions import least_runtime
from ...runtimes.model_file.schema import IDENTIFIER, OPERATOR_NAMES, parse_model, schema

_ALIGNMENT = 16  # as the schema asks of buffers
_RUNTIME_ENTRY = b"min_runtime_version"
Types = schema.TensorType
_DTYPES = {
    Types.FLOAT32: np.dtype(np.float32),
    Types.FLOAT16: np.dtype(np.float16),
    Types.INT64: np.dtype(np.int64),
    Types.INT32: np.dtype(np.int32),
    Types.INT16: np.dtype(np.int16),
    Types.INT8: np.dtype(np.int8),
    Types.UINT8: np.dtype(np.uint8),
    Types.BOOL: np.dtype(np.bool_),
}


class Editor:
    """A model taken apart; `pack` puts it together without what is no longer used."""

    def __init__(self, data: bytes) -> None:
        self.model: Any = parse_model(data)
        self.graph: Any = self.model.subgraphs[0]

    @property
    def ops(self) -> list[Any]:
        """Operators in execution order."""
        return self.graph.operators

    def name_of(self, op: Any) -> str:
        """Builtin name such as `GATHER`; '' for custom operators."""
        code = self.model.operatorCodes[op.opcodeIndex]
        return OPERATOR_NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "") if not code.customCode else ""

    def tensor(self, index: int) -> Any:
        """A tensor of the first subgraph."""
        return self.graph.tensors[index]

    def name(self, index: int) -> str:
        """A tensor's name, the first of those the converter merged."""
        found = self.tensor(index).name or b""
        return found.decode("utf-8", "replace").split(";")[0]

    def is_quantized(self, index: int) -> bool:
        """Whether a tensor's numbers stand for others by a scale."""
        known = self.tensor(index).quantization
        return known is not None and known.scale is not None and len(known.scale) > 0

    def constant(self, index: int) -> np.ndarray | None:
        """The values of a constant tensor with a plain dtype; None for anything else."""
        if index < 0:
            return None
        tensor = self.tensor(index)
        data = self.model.buffers[tensor.buffer].data
        dtype = _DTYPES.get(tensor.type)
        if data is None or dtype is None or not len(data):
            return None
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(
            tensor.shape if tensor.shape is not None else ()
        )

    def readers(self, index: int) -> list[Any]:
        """Operators of the first subgraph that read a tensor."""
        return [op for op in self.ops if index in [int(i) for i in op.inputs]]

    def is_port(self, index: int) -> bool:
        """Whether a tensor is an input or output of the model."""
        return index in list(self.graph.inputs) or index in list(self.graph.outputs)

    def add_tensor(
        self, shape: Sequence[int], tensor_type: int, name: str = "", *, scale: Any = None, zero_point: int = 0,
        free: Sequence[int] | None = None,
    ) -> int:  # fmt: skip
        """A new tensor without data; `free` marks run-time dimensions with -1. Returns its index."""
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name, tensor.buffer = list(shape), tensor_type, name.encode() or None, 0
        tensor.shapeSignature = list(free) if free is not None and -1 in list(free) else None
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def like(self, index: int, tensor_type: int, *, scale: Any = None, zero_point: int = 0) -> int:
        """A new tensor with another's shape, fixed or free."""
        tensor = self.tensor(index)
        shape = [] if tensor.shape is None else list(tensor.shape)
        return self.add_tensor(shape, tensor_type, scale=scale, zero_point=zero_point, free=tensor.shapeSignature)

    def add_constant(
        self, values: np.ndarray, name: str = "", *, tensor_type: int | None = None, shape: Sequence[int] | None = None,
        scale: Any = None, zero_point: int = 0,
    ) -> int:  # fmt: skip
        """A new constant; `tensor_type` and `shape` where they are not those of `values` (packed int4)."""
        kind = tensor_type if tensor_type is not None else _TYPE_OF[values.dtype]
        index = self.add_tensor(
            values.shape if shape is None else shape, kind, name, scale=scale, zero_point=zero_point
        )
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self.tensor(index).buffer = len(self.model.buffers) - 1
        return index

    def set_version(self, op: Any, version: int) -> None:
        """Give an operator another version."""
        code = self.model.operatorCodes[op.opcodeIndex]
        op.opcodeIndex = self.code(max(code.builtinCode, code.deprecatedBuiltinCode), version)

    def code(self, builtin: int, version: int) -> int:
        """Index of an operator code, made where there is none."""
        for index, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin and code.version == version:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = builtin, version
        code.deprecatedBuiltinCode = min(builtin, 127)  # the field is one byte; larger codes stand in builtinCode alone
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def replace(self, instead: Callable[[Any], list[Any] | None]) -> None:
        """Rebuild the list of operators: each may be replaced by several, or kept (None)."""
        found: list[Any] = []
        for op in self.graph.operators:
            made = instead(op)
            found.extend([op] if made is None else made)
        self.graph.operators = found

    def pack(self) -> bytes:
        """The model's bytes: no unused tensor, buffer or operator code, least runtime recomputed, buffers aligned to 16 bytes."""
        self.drop_unused()
        self._stamp()
        self._drop_codes()
        self._drop_buffers()
        return self.pack_as_is()

    def pack_as_is(self) -> bytes:
        """The model's bytes with every tensor where it was."""
        builder = _Builder(1024)
        builder.Finish(self.model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())

    def drop_unused(self) -> None:
        """Forget tensors that nothing reads or makes; the others get new indices."""
        graph = self.graph
        used = {int(i) for op in graph.operators for i in [*op.inputs, *op.outputs, *(_some(op.intermediates))]}
        used |= {int(i) for i in [*graph.inputs, *graph.outputs]}
        signatures = [s for s in self.model.signatureDefs or [] if (s.subgraphIndex or 0) == 0]
        ports = [port for s in signatures for port in [*(s.inputs or []), *(s.outputs or [])]]
        used |= {int(port.tensorIndex) for port in ports}
        kept = [index for index in range(len(graph.tensors)) if index in used]
        new = {old: index for index, old in enumerate(kept)} | {-1: -1}
        graph.tensors = [graph.tensors[index] for index in kept]
        for op in graph.operators:
            op.inputs, op.outputs = [new[int(i)] for i in op.inputs], [new[int(i)] for i in op.outputs]
            if op.intermediates is not None:
                op.intermediates = [new[int(i)] for i in op.intermediates]
        graph.inputs, graph.outputs = [new[int(i)] for i in graph.inputs], [new[int(i)] for i in graph.outputs]
        for port in ports:
            port.tensorIndex = new[int(port.tensorIndex)]

    def _stamp(self) -> None:
        names = [(self.name_of(op), int(self.model.operatorCodes[op.opcodeIndex].version)) for op in self._all_ops()]
        entry = schema.MetadataT()
        buffer = schema.BufferT()
        buffer.data = np.frombuffer((least_runtime(names) or "").encode().ljust(16, b"\0"), np.uint8)
        self.model.buffers.append(buffer)
        entry.name, entry.buffer = _RUNTIME_ENTRY, len(self.model.buffers) - 1
        self.model.metadata = [m for m in self.model.metadata or [] if m.name != _RUNTIME_ENTRY] + [entry]

    def _all_ops(self) -> Iterable[Any]:
        return (op for graph in self.model.subgraphs for op in graph.operators or [])

    def _drop_codes(self) -> None:
        kept = sorted({op.opcodeIndex for op in self._all_ops()})
        new = {old: index for index, old in enumerate(kept)}
        self.model.operatorCodes = [self.model.operatorCodes[index] for index in kept]
        for op in self._all_ops():
            op.opcodeIndex = new[op.opcodeIndex]

    def _drop_buffers(self) -> None:
        holders = [tensor for graph in self.model.subgraphs for tensor in graph.tensors] + list(
            self.model.metadata or []
        )
        legacy = _some(self.model.metadataBuffer)
        kept = sorted({0, *(int(holder.buffer) for holder in holders), *(int(i) for i in legacy)})
        new: dict[int, int] = {}
        merged: list[Any] = [
            self.model.buffers[0]
        ]  # the first is empty by convention and serves whatever holds no data
        by_content = {b"": 0}
        for old in kept:
            data = self.model.buffers[old].data
            content = b"" if data is None else np.asarray(data, np.uint8).tobytes()
            if content not in by_content:
                by_content[content] = len(merged)
                merged.append(self.model.buffers[old])
            new[old] = by_content[content]
        self.model.buffers = merged
        for holder in holders:
            holder.buffer = new[int(holder.buffer)]
        self.model.metadataBuffer = [new[int(i)] for i in legacy] or None


class _Builder(flatbuffers.Builder):
    """Aligns byte vectors, which the generated code does not do although the schema asks for it."""

    def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802  (the name is flatbuffers')
        if x.dtype != np.uint8:
            return super().CreateNumpyVector(x)
        self.StartVector(1, x.size, _ALIGNMENT if x.size >= _ALIGNMENT else 8)
        self.head = self.Head() - x.size
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()


def _some(values: Any) -> list[int]:
    return [] if values is None else [int(i) for i in values]


_TYPE_OF = {dtype: kind for kind, dtype in _DTYPES.items()}
