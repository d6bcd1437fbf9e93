"""Shapes that the converter loses."""

from pocketrec.convert.converter import convert_saved_model
from pocketrec.convert.flatbuffer.operators import GraphEditor
from pocketrec.convert.flatbuffer.shape_inference import complete_shapes, known_shape


def test_shapes_behind_a_string_lookup_are_completed(tutorial_run):
    editor = GraphEditor(convert_saved_model(tutorial_run / "trained" / "ranking", signature="serving_default"))
    rows = [int(op.outputs[0]) for op in editor.ops if editor.name_of(op) == "GATHER"]
    assert [known_shape(editor, index) for index in rows] == [None, None]
    complete_shapes(editor)
    assert [known_shape(editor, index) for index in rows] == [[-1, 32], [-1, 32]]
