"""How dense layers (FULLY_CONNECTED with constant weights) are stored and computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...runtimes.inspection import LEAST_WEIGHTS, WHOLE_COLUMNS
from ...runtimes.model_file.schema import schema
from ..flatbuffer.editor import Types
from ..flatbuffer.operators import GraphEditor
from ..flatbuffer.shape_inference import known_shape
from .rounding import LEVELS8, affine

LEVELS16 = 32767
# How far beyond what was measured a range reaches; int16 has codes to spare.
HEADROOM = {"int8": 1.0, "int16": 4.0}


@dataclass(frozen=True)
class Flow:
    """What representative data put through a tensor.

    Attributes:
        low, high: least and largest value, float32[last axis].
        moment: float64[last axis, last axis], mean of x x^T, for inputs of dense layers.
    """

    low: np.ndarray
    high: np.ndarray
    moment: np.ndarray | None


Flows = Mapping[int, Flow]


def weights_of(editor: GraphEditor, op: Any) -> np.ndarray | None:
    """float32[rows, d] of a FULLY_CONNECTED whose weights are constant; None for anything else."""
    if editor.name_of(op) != "FULLY_CONNECTED":
        return None
    values = editor.constant(int(op.inputs[1]))
    return values if values is not None and values.dtype == np.float32 and values.ndim == 2 else None


class Dense:
    """int8 weights under one scale; each layer is written once."""

    def __init__(self, editor: GraphEditor) -> None:
        self.editor = editor
        self.stored: dict[tuple[int, int], int] = {}
        self.padded: dict[int, int] = {}

    def weights(self, index: int, more: int = 0) -> int:
        """The int8 constant for a float32 one, with so many columns of zeros `more`. One scale for all: per-row scales make
        FULLY_CONNECTED version 12."""
        if (index, more) not in self.stored:
            values = self.editor.constant(index)
            assert values is not None
            scale = np.float32(np.abs(values).max() / LEVELS8) or np.float32(1)
            codes = np.clip(np.round(values / scale), -LEVELS8, LEVELS8).astype(np.int8)
            codes = np.pad(codes, ((0, 0), (0, more)))
            self.stored[index, more] = self.editor.add_constant(codes, self.editor.name(index), scale=scale)
        return self.stored[index, more]

    def layer(self, op: Any) -> list[Any]:
        """The layer with int8 weights; its input is quantized as it comes, with a zero point (version 9)."""
        made, weights = self.whole(op, self.lacks(op))
        op.inputs = [int(op.inputs[0]), weights, *op.inputs[2:]]
        op.builtinOptions.asymmetricQuantizeInputs = True
        self.editor.set_version(op, 9)
        return [*made, op]

    def whole(self, op: Any, more: int) -> tuple[list[Any], int]:
        """What goes before a layer so that its input has so many columns more, and its weights with as many."""
        made, source = [], int(op.inputs[0])
        weights = self.weights(int(op.inputs[1]), more)
        if more:
            if source not in self.padded:
                width = int(self.editor.tensor(weights).shape[1])
                self.padded[source] = self.editor.resized(source, width, Types.FLOAT32)
                made.append(self.editor.pad_last(source, self.padded[source], more))
            op.inputs = [self.padded[source], *op.inputs[1:]]
        return made, weights

    def lacks(self, op: Any) -> int:
        """Columns to whole groups of `WHOLE_COLUMNS`; none where the input is not as wide as the weights."""
        shape, weights = known_shape(self.editor, int(op.inputs[0])), self.editor.constant(int(op.inputs[1]))
        assert weights is not None
        # A width that a lookup made unknown is the weights', or two queries would lie in one row.
        is_plain = bool(shape) and shape[-1] in (weights.shape[1], -1)
        return -weights.shape[1] % WHOLE_COLUMNS if is_plain else 0


class StaticDense(Dense):
    """int8 weights, and inputs and outputs of int8 or int16 codes under ranges measured on representative data.

    What stands between the layers stays float32. A range that representative data never spread (all zeros) leaves its layer
    to dynamic quantization.
    """

    def __init__(self, editor: GraphEditor, flows: Flows, activations: str) -> None:
        super().__init__(editor)
        self.flows, self.activations = dict(flows), activations
        self.quantized: dict[int, int] = {}

    def layer(self, op: Any) -> list[Any]:
        source, output = int(op.inputs[0]), int(op.outputs[0])
        if not self._has_ranges(op):
            return super().layer(op)
        made, weights = self.whole(op, self.lacks(op) if self.activations == "int8" else 0)
        self.flows[int(op.inputs[0])] = self.flows[source]
        return [*made, *self.between(op, weights, output, *self._limits(output), feeds_on=True)]

    def covers(self, op: Any) -> bool:
        """Whether a table's scan has ranges, and a width that every runtime multiplies rightly."""
        return self._has_ranges(op) and not (self.activations == "int8" and self.lacks(op))

    def _has_ranges(self, op: Any) -> bool:
        return self._spread(int(op.inputs[0])) and self._spread(int(op.outputs[0]))

    def products(self, op: Any, codes: int, raw: int, row_scales: np.ndarray) -> list[Any]:
        """Products with a table's codes, before the rows' scales float32[rows]."""
        flow = self.flows[int(op.outputs[0])]
        op.inputs = [int(op.inputs[0]), codes, -1]
        op.builtinOptions.fusedActivationFunction = 0
        return self.between(op, codes, raw, float((flow.low / row_scales).min()), float((flow.high / row_scales).max()))

    def _spread(self, index: int) -> bool:
        return index in self.flows and float(self.flows[index].high.max()) > float(self.flows[index].low.min())

    def _limits(self, index: int) -> tuple[float, float]:
        return float(self.flows[index].low.min()), float(self.flows[index].high.max())

    def between(
        self, op: Any, weights: int, output: int, low: float, high: float, *, feeds_on: bool = False
    ) -> list[Any]:
        """QUANTIZE, the layer on codes, DEQUANTIZE to `output`; `feeds_on` lets a next layer read the codes themselves."""
        e, source = self.editor, int(op.inputs[0])
        made = []
        if source not in self.quantized:
            self.quantized[source] = e.like(source, self._type(), **self._grid(*self._limits(source)))
            made.append(e.quantize(source, self.quantized[source]))
        codes = e.like(output, self._type(), **self._grid(low, high))
        scale = e.scale_of(self.quantized[source]) * e.scale_of(weights)
        op.inputs = [self.quantized[source], weights, self._bias(op, scale)]
        op.outputs = [codes]
        op.builtinOptions.asymmetricQuantizeInputs = False
        e.set_version(op, 7 if self.activations == "int16" else 5 if op.builtinOptions.keepNumDims else 4)
        if feeds_on:
            self.quantized[output] = codes
        return [*made, op, e.dequantize(codes, output)]

    def _type(self) -> int:
        return Types.INT16 if self.activations == "int16" else Types.INT8

    def _grid(self, low: float, high: float) -> dict[str, Any]:
        low, high = low * HEADROOM[self.activations], high * HEADROOM[self.activations]
        if self.activations == "int16":
            return {"scale": np.float32(max(-low, high) / LEVELS16)}
        scale, zero_point = affine(low, high)
        return {"scale": scale, "zero_point": zero_point}

    def _bias(self, op: Any, scale: Any) -> int:
        index = int(op.inputs[2]) if len(op.inputs) > 2 else -1
        values = self.editor.constant(index)
        if values is None:
            return -1
        wide = np.int64 if self.activations == "int16" else np.int32
        return self.editor.add_constant(np.round(values / scale).astype(wide), self.editor.name(index), scale=scale)


def half_constants(editor: GraphEditor, written: set[int]) -> list[Any]:
    """Turn every larger float32 constant into float16 with a DEQUANTIZE, but for those already `written` in another form.

    Returns:
        The operators to place first.
    """
    made = []
    for index in range(len(editor.graph.tensors)):
        values = editor.constant(index)
        if values is None or values.dtype != np.float32 or values.size < LEAST_WEIGHTS or index in written:
            continue
        if not editor.readers(index):
            continue
        wide = editor.add_tensor(values.shape, schema.TensorType.FLOAT32)
        halves = editor.add_constant(values.astype(np.float16), editor.name(index))
        for op in editor.readers(index):
            op.inputs = [wide if int(i) == index else int(i) for i in op.inputs]
        made.append(editor.dequantize(halves, wide))
    return made
