"""How embedding tables are stored: rows in fewer bits, with arithmetic that every runtime knows.

A row of int8 or int4 codes has its own scale, itself one byte: row = codes * (scale code * step). Lookup and scan read the same
constant, so a catalogue that serves both the history and the candidates is stored once.

The order in which tensors are made is their order in the file.
"""

from dataclasses import dataclass

import numpy as np

from ...runtimes.model_file.schema import FlatObject
from ..flatbuffer.editor import Types
from ..flatbuffer.op_sequence import OpSequence
from ..flatbuffer.operators import GraphEditor
from .dense_layers import StaticDense
from .rounding import LEVELS4, LEVELS8, affine_codes, row_codes

# Numbers of float16 in an int64.
_HALVES = 4


@dataclass(frozen=True)
class Lookup:
    """Rows of a table by id: ids to float32[..., d]."""

    table: int
    ids: int
    output: int


def as_lookup(editor: GraphEditor, op: FlatObject) -> Lookup | None:
    """The lookup an operator makes along the first axis of a constant table, if it makes one."""
    name = editor.name_of(op)
    if name == "EMBEDDING_LOOKUP":
        found = Lookup(int(op.inputs[1]), int(op.inputs[0]), int(op.outputs[0]))
    elif name == "GATHER" and not (op.builtinOptions and (op.builtinOptions.axis or op.builtinOptions.batchDims)):
        found = Lookup(int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0]))
    else:
        return None
    values = editor.constant(found.table)
    return found if values is not None and values.dtype == np.float32 and values.ndim in (1, 2) else None


class Rows:
    """A table whose rows are stored in some form; `lookup` and `scan` give the operators that read it.

    Args:
        table: float32[n, d].
        hessian: float64[d, d], mean of q q^T over representative queries that rows are multiplied with; None where unknown.
    """

    def __init__(self, editor: GraphEditor, name: str, table: np.ndarray, hessian: np.ndarray | None = None) -> None:
        self.editor, self.name = editor, name
        self.n, self.d = table.shape
        self.store(table, hessian)

    def store(self, table: np.ndarray, hessian: np.ndarray | None) -> None:
        """Write the constants."""
        raise NotImplementedError

    def lookup(self, found: Lookup) -> list[FlatObject]:
        """Operators that fill `found.output`."""
        raise NotImplementedError

    def weigh(self, op: FlatObject, raw: int, static: StaticDense | None) -> list[FlatObject]:
        """Operators that fill `raw` with products of a FULLY_CONNECTED's input and every stored row, before the rows' scales."""
        raise NotImplementedError

    def scan(self, op: FlatObject, static: StaticDense | None = None) -> list[FlatObject]:
        """Operators that replace a FULLY_CONNECTED with this table as its weights."""
        e, output, bias = self.editor, int(op.outputs[0]), _bias(op)
        activation = op.builtinOptions.fusedActivationFunction
        raw = e.like(output, Types.FLOAT32)
        ops = OpSequence(e)
        ops.placed += self.weigh(op, raw, static)
        if bias < 0:
            self._multiply_by_scales(ops, raw, output, activation)
            return ops.placed
        scaled = e.like(output, Types.FLOAT32)
        self._multiply_by_scales(ops, raw, scaled)
        ops.add(scaled, bias, output, activation)
        return ops.placed

    def _store_scales(self, codes: np.ndarray, step: np.float32) -> None:
        self.scales = self.editor.add_constant(codes[:, None], f"{self.name}/scales", scale=step)

    def _multiply_by_scales(self, ops: OpSequence, raw: int, output: int, activation: int = 0) -> None:
        """Multiply products float32[..., n] by the scales of all rows."""
        e = self.editor
        shape = [1] * (len(e.tensor(output).shape) - 1) + [self.n]
        codes, scales = e.alias(self.scales, shape), e.add_tensor(shape, Types.FLOAT32)
        ops.dequantize(codes, scales)
        ops.multiply(raw, scales, output, activation)

    def _multiply_by_own_scales(self, ops: OpSequence, found: Lookup, rows: int) -> None:
        """Multiply looked-up codes float32[..., d] by their rows' scales."""
        e = self.editor
        codes = e.resized(found.output, 1, Types.INT8, scale=e.scale_of(self.scales))
        scales = e.resized(found.output, 1, Types.FLOAT32)
        ops.gather(self.scales, found.ids, codes)
        ops.dequantize(codes, scales)
        ops.multiply(rows, scales, found.output)


class Int8Rows(Rows):
    """Codes int8[n, d]: GATHER, DEQUANTIZE, times the row's scale. Scored by a hybrid FULLY_CONNECTED."""

    def store(self, table: np.ndarray, hessian: np.ndarray | None) -> None:
        codes, scale_codes, step = row_codes(table, LEVELS8, hessian)
        self.codes = self.editor.add_constant(codes, self.name, scale=1.0)
        self.row_scales = scale_codes.astype(np.float32) * step
        self._store_scales(scale_codes, step)

    def lookup(self, found: Lookup) -> list[FlatObject]:
        e, ops = self.editor, OpSequence(self.editor)
        codes = ops.gather(self.codes, found.ids, e.resized(found.output, self.d, Types.INT8, scale=1.0))
        rows = ops.dequantize(codes, e.resized(found.output, self.d, Types.FLOAT32))
        self._multiply_by_own_scales(ops, found, rows)
        return ops.placed

    def weigh(self, op: FlatObject, raw: int, static: StaticDense | None) -> list[FlatObject]:
        # Statistics are of the output: behind a bias or an activation they say little about the products.
        is_plain = _bias(op) < 0 and not op.builtinOptions.fusedActivationFunction
        if static is not None and is_plain and static.has_calibrated_ranges(op):
            return static.table_products(op, self.codes, raw, self.row_scales)
        return [self.editor.fully_connected(int(op.inputs[0]), self.codes, raw, like=op, version=9)]


class Int4Rows(Rows):
    """Two codes per byte: column j in the high half, column j + ceil(d / 2) in the low, byte = 16 * high + low, within +-119.

    Unpacked by FLOOR and subtraction, so that it runs where int4 tensors are unknown: with x = byte / 16, high = floor(x + 1/2)
    and low = 16 * (x - high). A query's product with every row is (16 low_q) . x + (high_q - 16 low_q) . high.
    """

    def store(self, table: np.ndarray, hessian: np.ndarray | None) -> None:
        codes, scale_codes, step = row_codes(table, LEVELS4, hessian)
        self.half = (self.d + 1) // 2
        self.is_odd = bool(self.d % 2)
        if self.is_odd:
            codes = np.concatenate([codes, np.zeros_like(codes[:, :1])], axis=1)
        packed = 16 * codes[:, : self.half] + codes[:, self.half :]
        self.packed = self.editor.add_constant(packed, self.name, scale=1 / 16)
        self._store_scales(scale_codes, step)
        self.one_half = self.editor.add_constant(np.array(0.5, np.float32))
        self.sixteen = self.editor.add_constant(np.array(16, np.float32))

    def lookup(self, found: Lookup) -> list[FlatObject]:
        e, ops = self.editor, OpSequence(self.editor)

        def floats(width: int = self.half) -> int:
            return e.resized(found.output, width, Types.FLOAT32)

        packed = ops.gather(self.packed, found.ids, e.resized(found.output, self.half, Types.INT8, scale=1 / 16))
        x = ops.dequantize(packed, floats())
        shifted = ops.add(x, self.one_half, floats())
        high = ops.floor(shifted, floats())
        rest = ops.subtract(x, high, floats())
        low = ops.multiply(rest, self.sixteen, floats())
        rows = ops.concatenate([high, low], floats(2 * self.half))
        if self.is_odd:
            rows = ops.cut(rows, floats(self.d), 0, self.d)
        self._multiply_by_own_scales(ops, found, rows)
        return ops.placed

    def weigh(self, op: FlatObject, raw: int, static: StaticDense | None) -> list[FlatObject]:
        e, ops, query = self.editor, OpSequence(self.editor), int(op.inputs[0])
        high_q, low_q, low_q_16, mixed = (e.resized(query, self.half, Types.FLOAT32) for _ in range(4))
        if self.is_odd:
            query = ops.pad_last(query, e.resized(query, 2 * self.half, Types.FLOAT32))
        x, shifted, high = (e.add_tensor([self.n, self.half], Types.FLOAT32) for _ in range(3))
        x_products, high_products = e.like(raw, Types.FLOAT32), e.like(raw, Types.FLOAT32)
        ops.cut(query, high_q, 0, self.half)
        ops.cut(query, low_q, self.half, self.half)
        ops.multiply(low_q, self.sixteen, low_q_16)
        ops.subtract(high_q, low_q_16, mixed)
        ops.fully_connected(low_q_16, self.packed, x_products, like=op, version=9)
        # LiteRT's GPU accelerator compiles no DEQUANTIZE of a constant matrix, and leaves that of a vector to the CPU.
        flat = e.add_tensor([self.n * self.half], Types.FLOAT32)
        ops.dequantize(e.alias(self.packed, [self.n * self.half]), flat)
        ops.reshape(flat, x)
        ops.add(x, self.one_half, shifted)
        ops.floor(shifted, high)
        ops.fully_connected(mixed, high, high_products, like=op, version=5)
        ops.add(x_products, high_products, raw)
        return ops.placed


class Float16Rows(Rows):
    """float16[n, d] in groups of four, each looked up as one int64 and reread, so that only the requested rows are widened.

    LiteRT's GPU accelerator leaves int64 to the processor; it aborts on a table of int16, and rereads int32 and bytes wrongly
    (decision 77).
    """

    def store(self, table: np.ndarray, hessian: np.ndarray | None) -> None:
        self.padding = -self.d % _HALVES
        wide = np.pad(table.astype("<f2"), ((0, 0), (0, self.padding)))
        self.bits = self.editor.add_constant(wide.view(np.int64), self.name)

    def lookup(self, found: Lookup) -> list[FlatObject]:
        e, ops, n_groups = self.editor, OpSequence(self.editor), (self.d + self.padding) // _HALVES
        groups = e.resized(found.output, n_groups, Types.INT64)
        halves = [e.with_axis(groups, _HALVES, kind) for kind in (Types.FLOAT16, Types.FLOAT32)]
        ops.gather(self.bits, found.ids, groups)
        ops.bitcast(groups, halves[0])
        ops.dequantize(halves[0], halves[1])
        if not self.padding:
            ops.reshape(halves[1], found.output)
            return ops.placed
        rows = ops.reshape(halves[1], e.resized(found.output, self.d + self.padding, Types.FLOAT32))
        ops.cut(rows, found.output, 0, self.d)
        return ops.placed

    def scan(self, op: FlatObject, static: StaticDense | None = None) -> list[FlatObject]:
        e, ops, width, query = self.editor, OpSequence(self.editor), self.d + self.padding, int(op.inputs[0])
        stored = e.alias(self.bits, [self.n, width], Types.FLOAT16)
        wide = ops.dequantize(stored, e.add_tensor([self.n, width], Types.FLOAT32))
        if self.padding:
            query = ops.pad_last(query, e.resized(query, width, Types.FLOAT32), self.padding)
        op.inputs = [query, wide, _bias(op)]
        return [*ops.placed, op]


class Int8Vector:
    """A table of single numbers, float32[n]: int8 codes under one scale and zero point."""

    def __init__(self, editor: GraphEditor, name: str, table: np.ndarray) -> None:
        self.editor = editor
        codes, self.scale, self.zero_point = affine_codes(table)
        self.codes = editor.add_constant(codes, name, scale=self.scale, zero_point=self.zero_point)

    def lookup(self, found: Lookup) -> list[FlatObject]:
        """Operators that fill `found.output`."""
        e = self.editor
        codes = e.like(found.output, Types.INT8, scale=self.scale, zero_point=self.zero_point)
        return [e.gather(self.codes, found.ids, codes), e.dequantize(codes, found.output)]


def _bias(op: FlatObject) -> int:
    return int(op.inputs[2]) if len(op.inputs) > 2 else -1


# By storage of a recipe's tables; what is not here stays float32.
ROWS: dict[str, type[Rows]] = {"float16": Float16Rows, "int8": Int8Rows, "int4": Int4Rows}
VECTORS: dict[str, type[Int8Vector]] = {"int8": Int8Vector, "int4": Int8Vector}
