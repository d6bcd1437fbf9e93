"""Rows times their scales times one weight per row: multiply the two narrow factors first, and the wide one once."""

from ...runtimes.model_file.schema import FlatObject, schema
from ..flatbuffer.operators import GraphEditor
from ..flatbuffer.shape_inference import known_shape


def multiply_narrow_first(editor: GraphEditor) -> None:
    """Turn (wide * narrow) * narrow into wide * (narrow * narrow) where nothing else reads the first product.

    Narrow is a tensor whose last dimension is 1 and whose others are the wide one's: one number per row.
    """
    products: dict[int, tuple[FlatObject, int, int]] = {}
    folded: list[FlatObject] = []

    def instead(op: FlatObject) -> list[FlatObject] | None:
        factors = _wide_and_narrow(editor, op)
        if factors is None:
            return None
        wide, narrow = factors
        if wide not in products:
            if not op.builtinOptions.fusedActivationFunction and len(editor.readers(int(op.outputs[0]))) == 1:
                products[int(op.outputs[0])] = (op, wide, narrow)
            return None
        first, wide, scales = products[wide]
        folded.append(first)
        both = editor.like(scales, editor.tensor(scales).type)
        op.inputs = [wide, both]
        return [editor.op("MUL", 1, [scales, narrow], [both], schema.MulOptionsT()), op]

    editor.replace(instead)
    editor.graph.operators = [op for op in editor.ops if not any(op is first for first in folded)]


def _wide_and_narrow(editor: GraphEditor, op: FlatObject) -> tuple[int, int] | None:
    if editor.name_of(op) != "MUL":
        return None
    first, second = (int(i) for i in op.inputs)
    for wide, narrow in ((first, second), (second, first)):
        shape, other = known_shape(editor, wide), known_shape(editor, narrow)
        if shape and other and len(shape) > 1 and shape[-1] > 1 and other == [*shape[:-1], 1]:
            return wide, narrow
    return None
