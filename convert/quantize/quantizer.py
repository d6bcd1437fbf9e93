"""From a float32 .tflite to a variant: tables, dense layers and names rewritten as a recipe says."""

from collections import defaultdict
from typing import Any

import numpy as np

from ...runtimes.model_file.schema import schema
from ..flatbuffer.editor import Types
from ..flatbuffer.operators import GraphEditor
from ..flatbuffer.shape_inference import complete_shapes, known_shape
from .dense_layers import LEAST_WEIGHTS, Dense, Flows, StaticDense, half_constants, weights_of
from .embedding_tables import ROWS, VECTORS, Rows, Vector, as_lookup
from .recipes import Recipe
from .scale_fusion import multiply_narrow_first

# A FULLY_CONNECTED with this many rows or more scores a catalogue: its rows differ in length, so each gets a scale.
LEAST_SCANNED_ROWS = 512
_SHARED_BYTES = 256


def prepare(data: bytes) -> bytes:
    """What every recipe starts from: shapes completed, equal constants stored once, id lists in the fewest bytes, no
    inner names."""
    editor = GraphEditor(data)
    complete_shapes(editor)
    _share_constants(editor)
    _narrow_ids(editor)
    _slim(editor)
    return _packed(editor)


def _packed(editor: GraphEditor) -> bytes:
    editor.drop_unused()
    _shorten_names(editor)
    return editor.pack()


def _share_constants(editor: GraphEditor) -> None:
    first: dict[tuple[Any, ...], int] = {}
    same: dict[int, int] = {}
    for index, tensor in enumerate(editor.graph.tensors):
        values = editor.constant(index)
        if values is not None and values.nbytes >= _SHARED_BYTES and not editor.is_quantized(index):
            same[index] = first.setdefault((tensor.type, values.shape, values.tobytes()), index)
    for op in editor.ops:
        op.inputs = [same.get(int(i), int(i)) for i in op.inputs]


def _narrow_ids(editor: GraphEditor) -> None:
    """Store constant ids of a GATHER in one byte each where they fit, with a CAST before their use."""

    def narrowed(op: Any) -> list[Any] | None:
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
    """Forget what no runtime reads: empty quantization, shapes said twice, the converter's own metadata."""
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
    """Give what is neither port nor table a number for a name: tools want names, and want them to differ."""
    ports = {int(i) for i in [*editor.graph.inputs, *editor.graph.outputs]}
    for index, tensor in enumerate(editor.graph.tensors):
        values = editor.constant(index)
        if index not in ports and (values is None or values.size < LEAST_WEIGHTS):
            tensor.name = str(index).encode()


def apply_recipe(prepared: bytes, recipe: Recipe, flows: Flows | None = None) -> bytes:
    """Rewrite what `prepare` made.

    Args:
        flows: what representative data put through dense layers, by tensor of `prepared`. Recipes with `activations` need it;
            for the others it improves how scanned tables are rounded.
    """
    if recipe.tables == "float32":
        return prepared
    return _Rewriting(GraphEditor(prepared), recipe, flows or {}).bytes()


class _Rewriting:
    def __init__(self, editor: GraphEditor, recipe: Recipe, flows: Flows) -> None:
        self.editor, self.recipe, self.flows = editor, recipe, flows
        self.dense: Dense | None = None
        if recipe.dense == "int8":
            static = bool(recipe.activations)
            self.dense = StaticDense(editor, flows, recipe.activations) if static else Dense(editor)
        self.forms = self._tables()

    def _tables(self) -> dict[int, Rows | Vector]:
        """How each constant that is a table will be stored; one with any other reader stays as it is."""
        lookups, scans = defaultdict(list), defaultdict(list)
        for op in self.editor.ops:
            found = as_lookup(self.editor, op)
            weights = weights_of(self.editor, op)
            if found is not None:
                lookups[found.table].append(op)
            elif weights is not None:
                scans[int(op.inputs[1])].append(op)
        forms: dict[int, Rows | Vector] = {}
        for index in sorted({*lookups, *scans}):
            form = self._form(index, lookups[index], scans[index])
            if form is not None:
                forms[index] = form
        return forms

    def _form(self, index: int, lookups: list[Any], scans: list[Any]) -> Rows | Vector | None:
        editor, values = self.editor, self.editor.constant(index)
        assert values is not None
        readers = [*lookups, *scans]
        if values.size < LEAST_WEIGHTS or len(editor.readers(index)) > len(readers) or editor.is_port(index):
            return None
        if any(known_shape(editor, int(op.outputs[0])) is None for op in readers):
            return None
        if values.ndim == 1:
            return VECTORS[self.recipe.tables](editor, editor.name(index), values)
        if not lookups and len(values) < LEAST_SCANNED_ROWS:
            return None
        if any((known_shape(editor, int(op.inputs[0])) or [0])[-1] != values.shape[1] for op in scans):
            return None
        return ROWS[self.recipe.tables](editor, editor.name(index), values, self._moment(scans))

    def _moment(self, scans: list[Any]) -> np.ndarray | None:
        moments = [self.flows[int(op.inputs[0])].moment for op in scans if int(op.inputs[0]) in self.flows]
        known = [moment for moment in moments if moment is not None]
        return np.mean(known, axis=0) if known else None

    def bytes(self) -> bytes:
        """The rewritten file."""
        if self.recipe.tables == "float16":
            first = half_constants(self.editor, set(self.forms))
            self.editor.graph.operators = [*first, *self.editor.ops]
        self.editor.replace(self._instead)
        multiply_narrow_first(self.editor)
        return _packed(self.editor)

    def _instead(self, op: Any) -> list[Any] | None:
        found = as_lookup(self.editor, op)
        if found is not None and found.table in self.forms:
            return self.forms[found.table].lookup(found)
        weights = weights_of(self.editor, op)
        if weights is None:
            return None
        form = self.forms.get(int(op.inputs[1]))
        if isinstance(form, Rows):
            return form.scan(op, self.dense if isinstance(self.dense, StaticDense) else None)
        return self.dense.layer(op) if self.dense and weights.size >= LEAST_WEIGHTS else None
