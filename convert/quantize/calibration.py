"""Activation statistics: representative data is run through a model whose dense layers' inputs and outputs are made outputs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...runtimes.model_file.schema import FlatObject
from ..flatbuffer.operators import GraphEditor
from .dense_layers import ActivationStatistics, StatisticsByTensor, weights_of

_PREFIX = "observed_"
# Wider inputs get no Hessian: its size grows with the square of the width.
MAX_HESSIAN_WIDTH = 1024


def observed_tensors(editor: GraphEditor) -> dict[int, int]:
    """Inputs and outputs of every dense layer with constant weights, with the width of their last axis."""
    found: dict[int, int] = {}
    for op in editor.ops:
        weights = weights_of(editor, op)
        if weights is not None:
            found |= {int(op.outputs[0]): weights.shape[0], int(op.inputs[0]): weights.shape[1]}
    return dict(sorted(found.items()))


def instrument(prepared: bytes) -> bytes:
    """The same model with the observed tensors as additional outputs; a model without a signature gets one."""
    editor = GraphEditor(prepared)
    graph, signature = editor.graph, editor.signature()
    inputs = {int(i) for i in graph.inputs}
    added = [index for index in observed_tensors(editor) if index not in inputs]
    graph.outputs = [*(int(i) for i in graph.outputs), *added]
    observers: list[FlatObject] = [editor.port(f"{_PREFIX}{index}", index) for index in added]
    signature.outputs = [*(signature.outputs or []), *observers]
    return editor.pack_as_is()


@dataclass(frozen=True)
class _Observed:
    """Values of observed tensors: inputs are in the feeds, the others among the outputs of the instrumented model."""

    feeds: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
    input_names: Mapping[int, str]

    def rows(self, index: int, width: int) -> np.ndarray:
        """float32[any, width]."""
        name = self.input_names.get(index)
        values = self.outputs[f"{_PREFIX}{index}"] if name is None else self.feeds[name]
        return values.reshape(-1, width)


def collect_statistics(
    prepared: bytes, feeds: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> StatisticsByTensor:
    """Statistics of every observed tensor, by its index in `prepared`.

    Args:
        prepared: the model without observers.
        feeds: the representative inputs by name, as a worker takes them.
        outputs: the outputs of the instrumented model, as a worker returns them.
    """
    editor = GraphEditor(prepared)
    names = {int(i): editor.name(int(i)) for i in editor.graph.inputs}
    for signature in (editor.model.signatureDefs or [])[:1]:
        names |= {int(port.tensorIndex): port.name.decode() for port in signature.inputs}
    observed = _Observed(feeds, outputs, names)
    layer_inputs = {int(op.inputs[0]) for op in editor.ops if weights_of(editor, op) is not None}
    found = {}
    for index, width in observed_tensors(editor).items():
        rows = observed.rows(index, width)
        wide = rows.astype(np.float64)
        has_hessian = index in layer_inputs and width <= MAX_HESSIAN_WIDTH
        hessian = wide.T @ wide / len(wide) if has_hessian else None
        found[index] = ActivationStatistics(rows.min(axis=0), rows.max(axis=0), hessian)
    return found
