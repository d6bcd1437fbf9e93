"""How embedding tables are stored: rows in fewer bits, with arithmetic that every runtime knows.

A row of int8 or int4 codes has a scale of its own, itself one byte: row = codes * (scale code * step). Lookup and scan read the
same constant, so a catalogue that serves history and candidates is stored once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...runtimes.model_file.schema import schema
from ..flatbuffer.editor import Types
from ..flatbuffer.operators import GraphEditor
from .dense_layers import StaticDense
from .rounding import LEVELS4, LEVELS8, affine_codes, row_codes


@dataclass(frozen=True)
class Lookup:
    """Rows of a table by id: ids to float32[..., d]."""

    table: int
    ids: int
    output: int


def as_lookup(editor: GraphEditor, op: Any) -> Lookup | None:
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
    """A table whose rows were stored in some form; `lookup` and `scan` give the operators that read it."""

    def __init__(self, editor: GraphEditor, name: str, table: np.ndarray, moment: np.ndarray | None = None) -> None:
        self.editor, self.name = editor, name
        self.n, self.d = table.shape
        self.store(table, moment)

    def store(self, table: np.ndarray, moment: np.ndarray | None) -> None:
        """Write the constants."""
        raise NotImplementedError

    def lookup(self, found: Lookup) -> list[Any]:
        """Operators that fill `found.output`."""
        raise NotImplementedError

    def weigh(self, op: Any, raw: int, static: StaticDense | None) -> list[Any]:
        """Operators for the products of a FULLY_CONNECTED's input with every stored row, before the rows' scales."""
        raise NotImplementedError

    def scan(self, op: Any, static: StaticDense | None = None) -> list[Any]:
        """Operators that stand for a FULLY_CONNECTED with this table as its weights."""
        e = self.editor
        output, bias, activation = int(op.outputs[0]), _bias(op), op.builtinOptions.fusedActivationFunction
        raw = e.like(output, Types.FLOAT32)
        made = [
            *self.weigh(op, raw, static),
            *self._scaled(raw, output if bias < 0 else e.like(output, Types.FLOAT32), activation),
        ]
        if bias >= 0:
            options = schema.AddOptionsT()
            made[-1].builtinOptions.fusedActivationFunction, options.fusedActivationFunction = 0, activation
            made.append(e.op("ADD", 1, [int(made[-1].outputs[0]), bias], [output], options))
        return made

    def _scaled(self, raw: int, output: int, activation: int) -> list[Any]:
        e = self.editor
        rank = len(e.tensor(output).shape)
        shape = [1] * (rank - 1) + [self.n]
        codes = e.alias(self.scales, shape)
        scales = e.add_tensor(shape, Types.FLOAT32)
        options = schema.MulOptionsT()
        options.fusedActivationFunction = activation
        return [e.dequantize(codes, scales), e.op("MUL", 1, [raw, scales], [output], options)]

    def _store_scales(self, codes: np.ndarray, step: np.float32) -> None:
        self.scales = self.editor.add_constant(codes[:, None], f"{self.name}/scales", scale=step)

    def _times_scales(self, found: Lookup, rows: int) -> list[Any]:
        """Multiply looked-up codes float32[..., d] by their rows' scales."""
        e = self.editor
        step = e.scale_of(self.scales)
        codes, scales = e.resized(found.output, 1, Types.INT8, scale=step), e.resized(found.output, 1, Types.FLOAT32)
        gathered = e.gather(self.scales, found.ids, codes)
        return [
            gathered,
            e.dequantize(codes, scales),
            e.op("MUL", 1, [rows, scales], [found.output], schema.MulOptionsT()),
        ]


class Int8Rows(Rows):
    """Codes int8[n, d]: GATHER, DEQUANTIZE, times the row's scale. Scored by a hybrid FULLY_CONNECTED."""

    def store(self, table: np.ndarray, moment: np.ndarray | None) -> None:
        codes, scale_codes, step = row_codes(table, LEVELS8, moment)
        self.codes = self.editor.add_constant(codes, self.name, scale=1.0)
        self.row_scales = scale_codes.astype(np.float32) * step
        self._store_scales(scale_codes, step)

    def lookup(self, found: Lookup) -> list[Any]:
        e = self.editor
        codes, rows = (
            e.resized(found.output, self.d, Types.INT8, scale=1.0),
            e.resized(found.output, self.d, Types.FLOAT32),
        )
        return [e.gather(self.codes, found.ids, codes), e.dequantize(codes, rows), *self._times_scales(found, rows)]

    def weigh(self, op: Any, raw: int, static: StaticDense | None) -> list[Any]:
        # What was measured is the output: behind a bias or an activation it says little about the products.
        is_plain = _bias(op) < 0 and not op.builtinOptions.fusedActivationFunction
        if static is not None and is_plain and static.covers(op):
            return static.products(op, self.codes, raw, self.row_scales)
        return [self.editor.fully_connected(int(op.inputs[0]), self.codes, raw, like=op, version=9)]


class Int4Rows(Rows):
    """Two codes a byte: column j in the high half, column j + ceil(d / 2) in the low, byte = 16 * high + low, all within +-119.

    Unpacked by FLOOR and subtraction, so that it runs where int4 tensors are unknown: with x = byte / 16, high = floor(x + 1/2) and
    low = 16 * (x - high). A query's product with every row is (16 low_q) . x + (high_q - 16 low_q) . high.
    """

    def store(self, table: np.ndarray, moment: np.ndarray | None) -> None:
        codes, scale_codes, step = row_codes(table, LEVELS4, moment)
        self.half = (self.d + 1) // 2
        if self.d % 2:
            codes = np.concatenate([codes, np.zeros_like(codes[:, :1])], axis=1)
        packed = 16 * codes[:, : self.half] + codes[:, self.half :]
        self.packed = self.editor.add_constant(packed, self.name, scale=1 / 16)
        self._store_scales(scale_codes, step)
        self.a_half = self.editor.add_constant(np.array(0.5, np.float32))
        self.sixteen = self.editor.add_constant(np.array(16, np.float32))

    def _high(self, x: int, shifted: int, high: int) -> list[Any]:
        e = self.editor
        return [
            e.op("ADD", 1, [x, self.a_half], [shifted], schema.AddOptionsT()),
            e.op("FLOOR", 1, [shifted], [high]),
        ]

    def lookup(self, found: Lookup) -> list[Any]:
        e = self.editor
        packed = e.resized(found.output, self.half, Types.INT8, scale=1 / 16)
        x, shifted, high, rest, low = (e.resized(found.output, self.half, Types.FLOAT32) for _ in range(5))
        both, rows = (
            e.resized(found.output, 2 * self.half, Types.FLOAT32),
            e.resized(found.output, self.d, Types.FLOAT32),
        )
        rows = rows if self.d % 2 else both
        return [
            e.gather(self.packed, found.ids, packed),
            e.dequantize(packed, x),
            *self._high(x, shifted, high),
            e.op("SUB", 1, [x, high], [rest], schema.SubOptionsT()),
            e.op("MUL", 1, [rest, self.sixteen], [low], schema.MulOptionsT()),
            e.concatenate([high, low], both),
            *([e.cut(both, rows, 0, self.d)] if self.d % 2 else []),
            *self._times_scales(found, rows),
        ]

    def weigh(self, op: Any, raw: int, static: StaticDense | None) -> list[Any]:
        e, query = self.editor, int(op.inputs[0])
        halves = lambda: e.resized(query, self.half, Types.FLOAT32)  # noqa: E731
        made, (high_q, low_q, low16, mixed) = [], (halves() for _ in range(4))
        if self.d % 2:
            padded = e.resized(query, 2 * self.half, Types.FLOAT32)
            made, query = [e.pad_last(query, padded)], padded
        x, shifted, high = (e.add_tensor([self.n, self.half], Types.FLOAT32) for _ in range(3))
        of_x, of_high = e.like(raw, Types.FLOAT32), e.like(raw, Types.FLOAT32)
        return [
            *made,
            e.cut(query, high_q, 0, self.half),
            e.cut(query, low_q, self.half, self.half),
            e.op("MUL", 1, [low_q, self.sixteen], [low16], schema.MulOptionsT()),
            e.op("SUB", 1, [high_q, low16], [mixed], schema.SubOptionsT()),
            e.fully_connected(low16, self.packed, of_x, like=op, version=9),
            e.dequantize(self.packed, x),
            *self._high(x, shifted, high),
            e.fully_connected(mixed, high, of_high, like=op, version=5),
            e.op("ADD", 1, [of_x, of_high], [raw], schema.AddOptionsT()),
        ]


class HalfRows(Rows):
    """float16[n, d], looked up as int16 and reread as float16, so that only the rows asked for are widened."""

    def store(self, table: np.ndarray, moment: np.ndarray | None) -> None:
        self.bits = self.editor.add_constant(table.astype(np.float16).view(np.int16), self.name)

    def lookup(self, found: Lookup) -> list[Any]:
        return _halves(self.editor, self.bits, found)

    def scan(self, op: Any, static: StaticDense | None = None) -> list[Any]:
        e = self.editor
        wide = e.add_tensor([self.n, self.d], Types.FLOAT32)
        halves = e.alias(self.bits, [self.n, self.d], Types.FLOAT16)
        op.inputs = [int(op.inputs[0]), wide, _bias(op)]
        return [e.dequantize(halves, wide), op]


class Vector:
    """A table of single numbers, float32[n]: int8 codes under one scale and zero point."""

    def __init__(self, editor: GraphEditor, name: str, table: np.ndarray) -> None:
        self.editor = editor
        codes, self.scale, self.zero_point = affine_codes(table)
        self.codes = editor.add_constant(codes, name, scale=self.scale, zero_point=self.zero_point)

    def lookup(self, found: Lookup) -> list[Any]:
        """Operators that fill `found.output`."""
        e = self.editor
        codes = e.like(found.output, Types.INT8, scale=self.scale, zero_point=self.zero_point)
        return [e.gather(self.codes, found.ids, codes), e.dequantize(codes, found.output)]


class HalfVector(Vector):
    """float16[n], looked up as `HalfRows` does."""

    def __init__(self, editor: GraphEditor, name: str, table: np.ndarray) -> None:
        self.editor = editor
        self.bits = editor.add_constant(table.astype(np.float16).view(np.int16), name)

    def lookup(self, found: Lookup) -> list[Any]:
        return _halves(self.editor, self.bits, found)


def _halves(e: GraphEditor, table: int, found: Lookup) -> list[Any]:
    bits, halves = e.like(found.output, Types.INT16), e.like(found.output, Types.FLOAT16)
    reread = e.op("BITCAST", 1, [bits], [halves], schema.BitcastOptionsT())
    return [e.gather(table, found.ids, bits), reread, e.dequantize(halves, found.output)]


def _bias(op: Any) -> int:
    return int(op.inputs[2]) if len(op.inputs) > 2 else -1


ROWS: dict[str, type[Rows]] = {"float16": HalfRows, "int8": Int8Rows, "int4": Int4Rows}
VECTORS: dict[str, type[Vector]] = {"float16": HalfVector, "int8": Vector, "int4": Vector}
