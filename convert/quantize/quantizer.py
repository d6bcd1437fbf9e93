"""From a float32 .tflite to a variant: tables, dense layers and names rewritten as a recipe says."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from ...core.errors import InputError
from ...runtimes.inspection import float32_tables
from ...runtimes.model_file.reader import PortDict, Tensor, TfliteFile, parse_tflite
from ...runtimes.model_file.schema import FlatObject
from ...runtimes.npz_inputs import feeds_of_arrays
from ...runtimes.probing import execute
from ..flatbuffer.batch_axes import add_batch_axes
from ..flatbuffer.operators import GraphEditor
from ..flatbuffer.shape_inference import known_shape
from .calibration import collect_statistics, instrument
from .dense_layers import LEAST_WEIGHTS, Dense, StaticDense, StatisticsByTensor, float16_constants, weights_of
from .embedding_tables import ROWS, VECTORS, Int8Vector, Rows, as_lookup
from .preparation import packed, prepare
from .recipes import Recipe, pick_recipe
from .scale_fusion import multiply_narrow_first

# A FULLY_CONNECTED with this many rows or more scores a catalogue: its rows differ in length, so each gets a scale.
LEAST_SCANNED_ROWS = 512


def apply_recipe(prepared: bytes, recipe: Recipe, statistics: StatisticsByTensor | None = None) -> bytes:
    """Rewrite a prepared model (see `prepare`) as a recipe says.

    Args:
        statistics: activation statistics by tensor of `prepared`. Recipes with `activations` need them; for the others they
            improve how scanned tables are rounded.
    """
    if not recipe.is_exact:
        return _Rewriter(GraphEditor(prepared), recipe, statistics or {}).bytes()
    editor = GraphEditor(prepared)
    add_batch_axes(editor)
    return packed(editor)


class _Rewriter:
    def __init__(self, editor: GraphEditor, recipe: Recipe, statistics: StatisticsByTensor) -> None:
        self.editor, self.recipe, self.statistics = editor, recipe, statistics
        self.dense: Dense | None = None
        if recipe.dense == "int8":
            static = bool(recipe.activations)
            self.dense = StaticDense(editor, statistics, recipe.activations) if static else Dense(editor)
        # Tables that the recipe leaves in float32, whatever it does to dense layers.
        self.float_tables: set[int] = set()
        self.forms = self._tables()

    def _tables(self) -> dict[int, Rows | Int8Vector]:
        """How each constant that is a table will be stored; one with any other reader stays as it is."""
        lookups, scans = defaultdict(list), defaultdict(list)
        for op in self.editor.ops:
            found = as_lookup(self.editor, op)
            weights = weights_of(self.editor, op)
            if found is not None:
                lookups[found.table].append(op)
            elif weights is not None:
                scans[int(op.inputs[1])].append(op)
        forms: dict[int, Rows | Int8Vector] = {}
        for index in sorted({*lookups, *scans}):
            if not self._is_table(index, lookups[index], scans[index]):
                continue
            form = self._form(index, scans[index])
            if form is None:
                self.float_tables.add(index)
            else:
                forms[index] = form
        return forms

    def _is_table(self, index: int, lookups: list[FlatObject], scans: list[FlatObject]) -> bool:
        editor, values, readers = self.editor, self.editor.constant(index), [*lookups, *scans]
        assert values is not None
        if values.size < LEAST_WEIGHTS or len(editor.readers(index)) > len(readers) or editor.is_port(index):
            return False
        if any(known_shape(editor, int(op.outputs[0])) is None for op in readers):
            return False
        if values.ndim == 1:
            return True
        if not lookups and len(values) < LEAST_SCANNED_ROWS:
            return False
        return all((known_shape(editor, int(op.inputs[0])) or [0])[-1] == values.shape[1] for op in scans)

    def _form(self, index: int, scans: list[FlatObject]) -> Rows | Int8Vector | None:
        values, name = self.editor.constant(index), self.editor.name(index)
        assert values is not None
        if values.ndim == 1:
            vector = VECTORS.get(self.recipe.tables)
            return vector(self.editor, name, values) if vector else None
        rows = ROWS.get(self.recipe.tables)
        return rows(self.editor, name, values, self._hessian(scans)) if rows else None

    def _hessian(self, scans: list[FlatObject]) -> np.ndarray | None:
        sources = [int(op.inputs[0]) for op in scans]
        hessians = [self.statistics[source].hessian for source in sources if source in self.statistics]
        known = [hessian for hessian in hessians if hessian is not None]
        return np.mean(known, axis=0) if known else None

    def bytes(self) -> bytes:
        """The rewritten file."""
        if self.recipe.dense == "float16":
            first = float16_constants(self.editor, {*self.forms, *self.float_tables})
            self.editor.graph.operators = [*first, *self.editor.ops]
        self.editor.replace(self._replacement)
        multiply_narrow_first(self.editor)
        add_batch_axes(self.editor)
        return packed(self.editor)

    def _replacement(self, op: FlatObject) -> list[FlatObject] | None:
        found = as_lookup(self.editor, op)
        if found is not None and found.table in self.forms:
            return self.forms[found.table].lookup(found)
        weights = weights_of(self.editor, op)
        if weights is None or int(op.inputs[1]) in self.float_tables:
            return None
        form = self.forms.get(int(op.inputs[1]))
        if isinstance(form, Rows):
            return form.scan(op, self.dense if isinstance(self.dense, StaticDense) else None)
        return self.dense.layer(op) if self.dense and weights.size >= LEAST_WEIGHTS else None


class Quantizer:
    """A float32 model on its way to its variants: what all recipes share is made once.

    Args:
        data: a float32 .tflite file.
        calibration: representative inputs as a worker takes them (see workers/tflite_worker.py), by name; None where there are
            none.

    Raises:
        InputError: `data` is no .tflite file.
    """

    def __init__(self, data: bytes, calibration: Mapping[str, np.ndarray] | None = None) -> None:
        parse_tflite(data)
        self.prepared, self.calibration = prepare(data), calibration

    @cached_property
    def ports(self) -> tuple[list[PortDict], list[PortDict]]:
        """The model's inputs and outputs."""
        return parse_tflite(self.prepared).ports()

    @cached_property
    def statistics(self) -> StatisticsByTensor | None:
        """Activation statistics on the representative inputs; None where there are none.

        Raises:
            CheckFailed: the model does not run on them.
        """
        if self.calibration is None:
            return None
        outputs = execute(instrument(self.prepared), self.calibration)
        return collect_statistics(self.prepared, self.calibration, outputs)

    def quantize(self, recipe: str, what: str = "recipe") -> bytes:
        """The variant's bytes.

        Raises:
            InputError: no recipe of that name, or one that needs calibration data where there are none.
            CheckFailed: the model does not run on the calibration data.
        """
        chosen = pick_recipe(recipe, what)
        if chosen.needs_calibration and self.calibration is None:
            raise calibration_missing([recipe])
        return apply_recipe(self.prepared, chosen, self.statistics if chosen.is_quantized else None)


def calibration_missing(recipes: list[str], what: str = "calibration") -> InputError:
    """What to raise where recipes need representative data and there are none."""
    return InputError(
        what,
        expected=f"representative inputs for {', '.join(recipes)}",
        given="none",
        do="pass them, or choose a recipe that needs none",
        code="OPTION_MISSING",
    )


def quantize(model: bytes, recipe: str, *, calibration: Mapping[str, np.ndarray] | None = None) -> bytes:
    """Quantize a float32 .tflite model: bytes to bytes.

    Args:
        model: the bytes of a float32 .tflite file.
        recipe: a key of `RECIPES`, such as `dynamic_int8`.
        calibration: representative inputs by name; axis 0 indexes queries. An array of an input's own rank is fed one row at a
            time, that axis kept as a batch of one; an array with one axis more is fed one entry per query. Recipes with
            calibrated activations need it; for the others it improves how scanned tables are rounded.

    Returns:
        The bytes of the quantized .tflite file.

    Raises:
        InputError: no .tflite file (MODEL_INVALID), unknown recipe (NAME_UNKNOWN), a recipe that needs calibration data
            without them (OPTION_MISSING), or data that do not fit the model's inputs (INPUT_MISMATCH).
        CheckFailed: the model does not run on the calibration data.
    """
    chosen = pick_recipe(recipe, "recipe")
    if chosen.needs_calibration and calibration is None:
        raise calibration_missing([recipe])
    inputs, _ = parse_tflite(model).ports()
    feeds = None if calibration is None else feeds_of_arrays(calibration, inputs, "calibration")
    return Quantizer(model, feeds).quantize(recipe)


def left_in_float32(file: TfliteFile, recipe: Recipe) -> list[Tensor]:
    """Tables and weights of a file that its recipe promises to store in fewer bits, but that are float32."""
    if recipe.has_integer_tables:
        return float32_tables(file)
    if recipe.dense != "int8":
        return []
    weights = {op.inputs[1] for op in file.ops if op.name == "FULLY_CONNECTED"}
    looked_up = {index for op in file.ops for index in file.looked_up(op)}
    return [
        tensor
        for tensor in float32_tables(file)
        if tensor.index in weights - looked_up and tensor.shape[0] < LEAST_SCANNED_ROWS
    ]
