"""How dense layers (FULLY_CONNECTED with constant weights) are stored and computed."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from ...runtimes.inspection import LEAST_WEIGHTS, WHOLE_COLUMNS
from ...runtimes.model_file.schema import FlatObject
from ..flatbuffer.editor import Types
from ..flatbuffer.operators import GraphEditor
from ..flatbuffer.shape_inference import known_shape
from .rounding import LEVELS8, affine

LEVELS16 = 32767
# How far beyond the measured range a calibrated range reaches; int16 has codes to spare.
HEADROOM = {"int8": 1.0, "int16": 4.0}


class Grid(TypedDict, total=False):
    """Quantization parameters of a tensor."""

    scale: np.float32
    zero_point: int


@dataclass(frozen=True)
class ActivationStatistics:
    """What a tensor held on representative data.

    Attributes:
        low, high: smallest and largest value, float32[last axis].
        hessian: float64[last axis, last axis], mean of x x^T, for inputs of dense layers (half the Hessian of the squared
            error of a layer's outputs: GPTQ, Frantar et al. 2022, section 3).
    """

    low: np.ndarray
    high: np.ndarray
    hessian: np.ndarray | None


StatisticsByTensor = Mapping[int, ActivationStatistics]


def weights_of(editor: GraphEditor, op: FlatObject) -> np.ndarray | None:
    """float32[rows, d] of a FULLY_CONNECTED whose weights are constant; None for anything else."""
    if editor.name_of(op) != "FULLY_CONNECTED":
        return None
    values = editor.constant(int(op.inputs[1]))
    return values if values is not None and values.dtype == np.float32 and values.ndim == 2 else None


class Dense:
    """int8 weights under one scale; each constant is written once."""

    def __init__(self, editor: GraphEditor) -> None:
        self.editor = editor
        self.stored: dict[tuple[int, int], int] = {}
        self.padded: dict[int, int] = {}

    def int8_weights(self, index: int, padding: int = 0) -> int:
        """The int8 constant for a float32 one, with `padding` columns of zeros appended.

        All rows share one scale: scales per row would make FULLY_CONNECTED version 12.
        """
        if (index, padding) not in self.stored:
            values = self.editor.constant(index)
            assert values is not None
            scale = np.float32(np.abs(values).max() / LEVELS8) or np.float32(1)
            codes = np.clip(np.round(values / scale), -LEVELS8, LEVELS8).astype(np.int8)
            codes = np.pad(codes, ((0, 0), (0, padding)))
            self.stored[index, padding] = self.editor.add_constant(codes, self.editor.name(index), scale=scale)
        return self.stored[index, padding]

    def layer(self, op: FlatObject) -> list[FlatObject]:
        """The layer with int8 weights; its input is quantized dynamically, with a zero point (version 9)."""
        made, weights = self.pad_input(op, self.missing_columns(op))
        op.inputs = [int(op.inputs[0]), weights, *op.inputs[2:]]
        op.builtinOptions.asymmetricQuantizeInputs = True
        self.editor.set_version(op, 9)
        return [*made, op]

    def pad_input(self, op: FlatObject, padding: int) -> tuple[list[FlatObject], int]:
        """Append `padding` columns of zeros to a layer's input and to its weights.

        Returns:
            The operators to place before the layer, and the int8 weights.
        """
        made, source = [], int(op.inputs[0])
        weights = self.int8_weights(int(op.inputs[1]), padding)
        if padding:
            if source not in self.padded:
                width = int(self.editor.tensor(weights).shape[1])
                self.padded[source] = self.editor.resized(source, width, Types.FLOAT32)
                made.append(self.editor.pad_last(source, self.padded[source], padding))
            op.inputs = [self.padded[source], *op.inputs[1:]]
        return made, weights

    def missing_columns(self, op: FlatObject) -> int:
        """Columns that fill up the last group of `WHOLE_COLUMNS`; 0 where the input is not as wide as the weights."""
        shape, weights = known_shape(self.editor, int(op.inputs[0])), self.editor.constant(int(op.inputs[1]))
        assert weights is not None
        # A width that a lookup made unknown is the weights', or two queries would share a row.
        is_plain = bool(shape) and shape[-1] in (weights.shape[1], -1)
        return -weights.shape[1] % WHOLE_COLUMNS if is_plain else 0


class StaticDense(Dense):
    """int8 weights, and inputs and outputs of int8 or int16 codes under ranges calibrated on representative data.

    What lies between the layers stays float32. A layer whose range is empty on representative data (all zeros) is quantized
    dynamically.
    """

    def __init__(self, editor: GraphEditor, statistics: StatisticsByTensor, activations: str) -> None:
        super().__init__(editor)
        self.statistics, self.activations = dict(statistics), activations
        self.quantized: dict[int, int] = {}

    def layer(self, op: FlatObject) -> list[FlatObject]:
        source, output = int(op.inputs[0]), int(op.outputs[0])
        if not self._has_ranges(op):
            return super().layer(op)
        made, weights = self.pad_input(op, self.missing_columns(op) if self.activations == "int8" else 0)
        self.statistics[int(op.inputs[0])] = self.statistics[source]
        return [*made, *self.quantized_matmul(op, weights, output, self._limits(output), passes_codes=True)]

    def has_calibrated_ranges(self, op: FlatObject) -> bool:
        """Whether a table's scan has ranges, and a width that every runtime multiplies correctly."""
        return self._has_ranges(op) and not (self.activations == "int8" and self.missing_columns(op))

    def table_products(self, op: FlatObject, codes: int, raw: int, row_scales: np.ndarray) -> list[FlatObject]:
        """Products with a table's codes, before the rows' scales float32[rows]."""
        statistics = self.statistics[int(op.outputs[0])]
        op.inputs = [int(op.inputs[0]), codes, -1]
        op.builtinOptions.fusedActivationFunction = 0
        low, high = (statistics.low / row_scales).min(), (statistics.high / row_scales).max()
        return self.quantized_matmul(op, codes, raw, (float(low), float(high)))

    def quantized_matmul(
        self, op: FlatObject, weights: int, output: int, limits: tuple[float, float], *, passes_codes: bool = False
    ) -> list[FlatObject]:
        """QUANTIZE, the layer on codes, DEQUANTIZE to `output`.

        Args:
            limits: the range of `output`.
            passes_codes: let the next layer read the codes themselves.
        """
        e, source = self.editor, int(op.inputs[0])
        made = []
        if source not in self.quantized:
            self.quantized[source] = e.like(source, self._type(), **self._grid(*self._limits(source)))
            made.append(e.quantize(source, self.quantized[source]))
        codes = e.like(output, self._type(), **self._grid(*limits))
        scale = e.scale_of(self.quantized[source]) * e.scale_of(weights)
        op.inputs = [self.quantized[source], weights, self._bias(op, scale)]
        op.outputs = [codes]
        op.builtinOptions.asymmetricQuantizeInputs = False
        e.set_version(op, 7 if self.activations == "int16" else 5 if op.builtinOptions.keepNumDims else 4)
        if passes_codes:
            self.quantized[output] = codes
        return [*made, op, e.dequantize(codes, output)]

    def _has_ranges(self, op: FlatObject) -> bool:
        return self._has_spread(int(op.inputs[0])) and self._has_spread(int(op.outputs[0]))

    def _has_spread(self, index: int) -> bool:
        if index not in self.statistics:
            return False
        low, high = self._limits(index)
        return high > low

    def _limits(self, index: int) -> tuple[float, float]:
        return float(self.statistics[index].low.min()), float(self.statistics[index].high.max())

    def _type(self) -> int:
        return Types.INT16 if self.activations == "int16" else Types.INT8

    def _grid(self, low: float, high: float) -> Grid:
        low, high = low * HEADROOM[self.activations], high * HEADROOM[self.activations]
        if self.activations == "int16":
            return {"scale": np.float32(max(-low, high) / LEVELS16)}
        scale, zero_point = affine(low, high)
        return {"scale": scale, "zero_point": zero_point}

    def _bias(self, op: FlatObject, scale: np.float32) -> int:
        index = int(op.inputs[2]) if len(op.inputs) > 2 else -1
        values = self.editor.constant(index)
        if values is None:
            return -1
        wide = np.int64 if self.activations == "int16" else np.int32
        return self.editor.add_constant(np.round(values / scale).astype(wide), self.editor.name(index), scale=scale)


def float16_constants(editor: GraphEditor, excluded: Set[int]) -> list[FlatObject]:
    """Store every larger float32 constant as float16 with a DEQUANTIZE, except the tensors `excluded`.

    Returns:
        The operators to place first.
    """
    made = []
    for index in range(len(editor.graph.tensors)):
        values = editor.constant(index)
        if values is None or values.dtype != np.float32 or values.size < LEAST_WEIGHTS or index in excluded:
            continue
        if not editor.readers(index):
            continue
        wide = editor.add_tensor(values.shape, Types.FLOAT32)
        stored = editor.add_constant(values.astype(np.float16), editor.name(index))
        for op in editor.readers(index):
            op.inputs = [wide if int(i) == index else int(i) for i in op.inputs]
        made.append(editor.dequantize(stored, wide))
    return made
