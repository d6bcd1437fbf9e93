"""A batch axis for dense layers of one axis.

LiteRT's GPU accelerator takes the first axis of a dense layer's input for the batch, and so [n] for n vectors of one element
(decision 77). A RESHAPE to [1, n] before the layer and one back after it change nothing on a processor.
"""

from collections.abc import Sequence

from ...runtimes.model_file.schema import FlatObject
from .operators import GraphEditor
from .shape_inference import known_shape


def add_batch_axes(editor: GraphEditor) -> None:
    """Give every FULLY_CONNECTED of one axis an input of [1, n] and an output of [1, m]; layers of one input share its RESHAPE."""
    rows: dict[int, int] = {}

    def replaced(op: FlatObject) -> list[FlatObject] | None:
        if editor.name_of(op) != "FULLY_CONNECTED":
            return None
        source, output = int(op.inputs[0]), int(op.outputs[0])
        shape, made = known_shape(editor, source), known_shape(editor, output)
        if shape is None or len(shape) != 1:
            return None
        placed = [op]
        if source not in rows:
            rows[source] = _like(editor, source, [1, *shape])
            placed.insert(0, editor.reshape(source, rows[source]))
        op.inputs = [rows[source], *(int(i) for i in op.inputs[1:])]
        if made is not None and len(made) == 1:
            op.outputs = [_like(editor, output, [1, *made])]
            placed.append(editor.reshape(op.outputs[0], output))
        return placed

    editor.replace(replaced)


def _like(editor: GraphEditor, index: int, shape: Sequence[int]) -> int:
    """A new tensor of another shape with the type and grid of one."""
    known = editor.tensor(index)
    made = editor.add_tensor([max(n, 1) for n in shape], known.type, free=shape)
    editor.tensor(made).quantization = known.quantization
    return made
