"""What every recipe starts from: the converter's float32 model, reduced to what runtimes read."""

import numpy as np

from ...runtimes.inspection import LEAST_WEIGHTS
from ...runtimes.model_file.schema import FlatObject, schema
from ..flatbuffer.editor import Types
from ..flatbuffer.operators import GraphEditor
from ..flatbuffer.shape_inference import complete_shapes

# Smaller constants are not worth sharing or narrowing.
_SHARED_BYTES = 256


def prepare(data: bytes) -> bytes:
    """The model that every recipe starts from: shapes completed, equal constants stored once, id lists in the fewest bytes, names
    of inner tensors shortened."""
    editor = GraphEditor(data)
    complete_shapes(editor)
    _share_constants(editor)
    _narrow_ids(editor)
    _slim(editor)
    return packed(editor)


def packed(editor: GraphEditor) -> bytes:
    """The model's bytes without unused tensors, and with short names."""
    editor.drop_unused()
    _shorten_names(editor)
    return editor.pack()


def _share_constants(editor: GraphEditor) -> None:
    first: dict[tuple[object, ...], int] = {}
    same: dict[int, int] = {}
    for index, tensor in enumerate(editor.graph.tensors):
        values = editor.constant(index)
        if values is not None and values.nbytes >= _SHARED_BYTES and not editor.is_quantized(index):
            same[index] = first.setdefault((tensor.type, values.shape, values.tobytes()), index)
    for op in editor.ops:
        op.inputs = [same.get(int(i), int(i)) for i in op.inputs]


def _narrow_ids(editor: GraphEditor) -> None:
    """Store constant ids of a GATHER in one byte each where they fit, with a CAST before their use."""

    def narrowed(op: FlatObject) -> list[FlatObject] | None:
        ids = editor.constant(int(op.inputs[1])) if editor.name_of(op) == "GATHER" else None
        if ids is None or ids.dtype != np.int32 or ids.nbytes < _SHARED_BYTES:
            return None
        if ids.min(initial=0) < 0 or ids.max(initial=0) > np.iinfo(np.uint8).max:
            return None
        source, wide = int(op.inputs[1]), editor.add_tensor(ids.shape, Types.INT32)
        small = editor.add_constant(ids.astype(np.uint8), editor.name(source))
        options = schema.CastOptionsT()
        options.inDataType, options.outDataType = Types.UINT8, Types.INT32
        op.inputs = [int(op.inputs[0]), wide]
        return [editor.op("CAST", 1, [small], [wide], options), op]

    editor.replace(narrowed)


def _slim(editor: GraphEditor) -> None:
    """Remove what no runtime reads: empty quantization, redundant shapes, the converter's own metadata."""
    for index, tensor in enumerate(editor.graph.tensors):
        if not editor.is_quantized(index):
            tensor.quantization = None
        if tensor.shapeSignature is not None and -1 not in list(tensor.shapeSignature):
            tensor.shapeSignature = None
        tensor.hasRank = bool(tensor.hasRank) and (
            tensor.shape is None or not len(tensor.shape)
        )  # only a scalar's empty shape needs to say that it is known
    editor.model.metadata = [entry for entry in editor.model.metadata or [] if entry.name != b"CONVERSION_METADATA"]


def _shorten_names(editor: GraphEditor) -> None:
    """Name every tensor that is neither port nor table by its number: tools need distinct names."""
    ports = {int(i) for i in [*editor.graph.inputs, *editor.graph.outputs]}
    for index, tensor in enumerate(editor.graph.tensors):
        values = editor.constant(index)
        if index not in ports and (values is None or values.size < LEAST_WEIGHTS):
            tensor.name = str(index).encode()
