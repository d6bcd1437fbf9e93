"""Shapes that the converter loses: behind a string lookup every tensor has an unknown rank."""

from ...runtimes.model_file.schema import FlatObject
from .editor import Editor

_SAME_SHAPE = {"HASHTABLE_FIND": 1, "CAST": 0, "DEQUANTIZE": 0, "ABS": 0, "RELU": 0, "TANH": 0, "LOGISTIC": 0}


def complete_shapes(editor: Editor) -> None:
    """Give outputs of unknown rank the shape that follows from the inputs of the operator that makes them."""
    for op in editor.ops:
        output = editor.tensor(int(op.outputs[0])) if len(op.outputs) else None
        if output is None or output.hasRank or (output.shape is not None and len(output.shape)):
            continue
        shape = _shape_of_output(editor, op)
        if shape is not None:
            output.shape = [1 if n < 0 else n for n in shape]
            output.shapeSignature = shape if -1 in shape else None
            output.hasRank = True


def known_shape(editor: Editor, index: int) -> list[int] | None:
    """A tensor's shape with -1 for free dimensions; None where its rank is unknown."""
    tensor = editor.tensor(index)
    signature = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    if signature is None or (not len(signature) and not tensor.hasRank):
        return None
    return [int(n) for n in signature]


def _shape_of_output(editor: Editor, op: FlatObject) -> list[int] | None:
    name, inputs = editor.name_of(op), [int(i) for i in op.inputs]
    if name in _SAME_SHAPE:
        return known_shape(editor, inputs[_SAME_SHAPE[name]])
    if name == "GATHER" and not op.builtinOptions.axis and not op.builtinOptions.batchDims:
        table, ids = known_shape(editor, inputs[0]), known_shape(editor, inputs[1])
        return None if table is None or ids is None else [*ids, *table[1:]]
    if name == "CONCATENATION":
        parts = [known_shape(editor, index) for index in inputs]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        axis = op.builtinOptions.axis % len(known[0])
        widths = [part[axis] for part in known]
        return [*known[0][:axis], -1 if -1 in widths else sum(widths), *known[0][axis + 1 :]]
    return None
