"""Editing a .tflite model: constants, operators, and packing it small and aligned.

Only the first subgraph is edited; others (the string tables' initialisers, branches) are kept as they are.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np

from ...runtimes.model_file.op_versions import minimum_runtime
from ...runtimes.model_file.schema import (
    IDENTIFIER,
    OPERATOR_NAMES,
    SIGNATURE,
    TYPE_NAMES,
    FlatObject,
    parse_model,
    schema,
)
from .sharing_builder import SharingBuilder

_RUNTIME_ENTRY = b"min_runtime_version"
Types = schema.TensorType
# The types whose constants are plain NumPy arrays, in the flatbuffer's order of bytes.
_DTYPES = {
    kind: np.dtype(TYPE_NAMES[kind])
    for kind in (
        Types.FLOAT32,
        Types.FLOAT16,
        Types.INT64,
        Types.INT32,
        Types.INT16,
        Types.INT8,
        Types.UINT8,
        Types.BOOL,
    )
}
_TYPE_OF = {dtype: kind for kind, dtype in _DTYPES.items()}
Scale: TypeAlias = float | np.float32 | np.ndarray | None


class Editor:
    """A parsed model; `pack` writes it without what is no longer used."""

    def __init__(self, data: bytes) -> None:
        self.model: FlatObject = parse_model(data)
        self.graph: FlatObject = self.model.subgraphs[0]

    @property
    def ops(self) -> list[FlatObject]:
        """Operators in execution order."""
        return self.graph.operators

    def name_of(self, op: FlatObject) -> str:
        """Builtin name such as `GATHER`; '' for custom operators."""
        code = self.model.operatorCodes[op.opcodeIndex]
        return OPERATOR_NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "") if not code.customCode else ""

    def tensor(self, index: int) -> FlatObject:
        """A tensor of the first subgraph."""
        return self.graph.tensors[index]

    def name(self, index: int) -> str:
        """A tensor's name, the first of those the converter merged."""
        found = self.tensor(index).name or b""
        return found.decode("utf-8", "replace").split(";")[0]

    def is_quantized(self, index: int) -> bool:
        """Whether a tensor holds codes that a scale turns into numbers."""
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

    def readers(self, index: int) -> list[FlatObject]:
        """Operators of the first subgraph that read a tensor."""
        return [op for op in self.ops if index in [int(i) for i in op.inputs]]

    def is_port(self, index: int) -> bool:
        """Whether a tensor is an input or output of the model."""
        return index in list(self.graph.inputs) or index in list(self.graph.outputs)

    def add_tensor(
        self,
        shape: Sequence[int],
        tensor_type: int,
        name: str = "",
        *,
        scale: Scale = None,
        zero_point: int = 0,
        free: Sequence[int] | None = None,
    ) -> int:
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

    def like(self, index: int, tensor_type: int, *, scale: Scale = None, zero_point: int = 0) -> int:
        """A new tensor with the shape of another, fixed or free."""
        tensor = self.tensor(index)
        shape = [] if tensor.shape is None else list(tensor.shape)
        return self.add_tensor(shape, tensor_type, scale=scale, zero_point=zero_point, free=tensor.shapeSignature)

    def add_constant(self, values: np.ndarray, name: str = "", *, scale: Scale = None, zero_point: int = 0) -> int:
        """A new constant of the shape and type of `values`. Returns its index."""
        index = self.add_tensor(values.shape, _TYPE_OF[values.dtype], name, scale=scale, zero_point=zero_point)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self.tensor(index).buffer = len(self.model.buffers) - 1
        return index

    def port(self, name: str, index: int) -> FlatObject:
        """An input or output of a signature."""
        made: FlatObject = schema.TensorMapT()
        made.name, made.tensorIndex = name.encode(), index
        return made

    def signature(self) -> FlatObject:
        """The first signature; where the model has none, a new one of the graph's inputs and outputs."""
        if not self.model.signatureDefs:
            made: FlatObject = schema.SignatureDefT()
            made.signatureKey, made.subgraphIndex = SIGNATURE.encode(), 0
            made.inputs = [self.port(self.name(int(i)), int(i)) for i in self.graph.inputs]
            made.outputs = [self.port(self.name(int(i)), int(i)) for i in self.graph.outputs]
            self.model.signatureDefs = [made]
        return self.model.signatureDefs[0]

    def set_version(self, op: FlatObject, version: int) -> None:
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

    def replace(self, instead: Callable[[FlatObject], list[FlatObject] | None]) -> None:
        """Rebuild the list of operators: each may be replaced by several, or kept (None)."""
        found: list[FlatObject] = []
        for op in self.graph.operators:
            made = instead(op)
            found.extend([op] if made is None else made)
        self.graph.operators = found

    def pack(self) -> bytes:
        """The model's bytes: no unused tensor, buffer or operator code, minimum runtime recomputed, buffers aligned to 16 bytes."""
        self.drop_unused()
        self._stamp()
        self._drop_codes()
        self._drop_buffers()
        return self.pack_as_is()

    def pack_as_is(self) -> bytes:
        """The model's bytes with every tensor where it was."""
        builder = SharingBuilder(1024)
        builder.Finish(self.model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())

    def drop_unused(self) -> None:
        """Remove tensors that nothing reads or makes; the others get new indices."""
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
        buffer.data = np.frombuffer((minimum_runtime(names) or "").encode().ljust(16, b"\0"), np.uint8)
        self.model.buffers.append(buffer)
        entry.name, entry.buffer = _RUNTIME_ENTRY, len(self.model.buffers) - 1
        self.model.metadata = [m for m in self.model.metadata or [] if m.name != _RUNTIME_ENTRY] + [entry]

    def _all_ops(self) -> Iterable[FlatObject]:
        return (op for graph in self.model.subgraphs for op in graph.operators or [])

    def _drop_codes(self) -> None:
        kept = sorted({op.opcodeIndex for op in self._all_ops()})
        new = {old: index for index, old in enumerate(kept)}
        self.model.operatorCodes = [self.model.operatorCodes[index] for index in kept]
        for op in self._all_ops():
            op.opcodeIndex = new[op.opcodeIndex]

    def _drop_buffers(self) -> None:
        tensors = [tensor for graph in self.model.subgraphs for tensor in graph.tensors]
        holders = [*tensors, *(self.model.metadata or [])]
        legacy = _some(self.model.metadataBuffer)
        kept = sorted({0, *(int(holder.buffer) for holder in holders), *(int(i) for i in legacy)})
        new: dict[int, int] = {}
        # The first buffer is empty by convention and serves whatever holds no data.
        merged: list[FlatObject] = [self.model.buffers[0]]
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


def _some(values: FlatObject) -> list[int]:
    return [] if values is None else [int(i) for i in values]
