"""What flows through dense layers, from running a file on representative data with those tensors as outputs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...runtimes.model_file.schema import schema
from ..flatbuffer.operators import GraphEditor
from .dense_layers import Flow, Flows, weights_of

_PREFIX = "flow_of_"
MOST_MOMENTS = 1024


def watched_tensors(editor: GraphEditor) -> dict[int, int]:
    """Inputs and outputs of every dense layer with constant weights, with the width of their last axis."""
    found: dict[int, int] = {}
    for op in editor.ops:
        weights = weights_of(editor, op)
        if weights is not None:
            found |= {int(op.outputs[0]): weights.shape[0], int(op.inputs[0]): weights.shape[1]}
    return dict(sorted(found.items()))


def watching(prepared: bytes) -> bytes:
    """The same model with those tensors as outputs beside its own; a model without signature gets one."""
    editor = GraphEditor(prepared)
    graph, model = editor.graph, editor.model
    signature: Any = next(iter(model.signatureDefs or []), None)
    if signature is None:
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [_port(editor.name(int(i)), int(i)) for i in graph.inputs]
        signature.outputs = [_port(editor.name(int(i)), int(i)) for i in graph.outputs]
        model.signatureDefs = [signature]
    given = {int(i) for i in graph.inputs}
    added = [index for index in watched_tensors(editor) if index not in given]
    graph.outputs = [*(int(i) for i in graph.outputs), *added]
    signature.outputs = [*(signature.outputs or []), *(_port(f"{_PREFIX}{index}", index) for index in added)]
    return editor.pack_as_is()


def _port(name: str, index: int) -> Any:
    port = schema.TensorMapT()
    port.name, port.tensorIndex = name.encode(), index
    return port


def measure(prepared: bytes, feeds: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> Flows:
    """What flowed through every watched tensor.

    Args:
        feeds: the representative inputs by name, as a worker takes them.
        outputs: what the watching model answered, as a worker gives it.
    """
    editor = GraphEditor(prepared)
    signature = next(iter(editor.model.signatureDefs or []), None)
    names = {int(i): editor.name(int(i)) for i in editor.graph.inputs}
    if signature is not None:
        names |= {int(port.tensorIndex): port.name.decode() for port in signature.inputs}
    scanned = {int(op.inputs[0]) for op in editor.ops if weights_of(editor, op) is not None}
    found = {}
    for index, width in watched_tensors(editor).items():
        values = feeds[names[index]] if index in names else outputs[f"{_PREFIX}{index}"]
        rows = values.reshape(-1, width)
        wide = rows.astype(np.float64)
        moment = wide.T @ wide / len(wide) if index in scanned and wide.shape[1] <= MOST_MOMENTS else None
        found[index] = Flow(rows.min(axis=0), rows.max(axis=0), moment)
    return found
