"""Operators in the order they run: every method adds one that fills `output`, and returns `output`."""

from collections.abc import Sequence

from ...runtimes.model_file.schema import FlatObject, schema
from .operators import GraphEditor


class OpSequence:
    """What stands in place of another operator, collected in `placed`."""

    def __init__(self, editor: GraphEditor) -> None:
        self.editor = editor
        self.placed: list[FlatObject] = []

    def gather(self, table: int, ids: int, output: int) -> int:
        """Rows of `table` by id."""
        return self._place(self.editor.gather(table, ids, output), output)

    def dequantize(self, source: int, output: int) -> int:
        """Codes to float32."""
        return self._place(self.editor.dequantize(source, output), output)

    def add(self, left: int, right: int, output: int, activation: int = 0) -> int:
        """left + right, broadcast; `activation` is a code of the schema's ActivationFunctionType."""
        options = schema.AddOptionsT()
        options.fusedActivationFunction = activation
        return self._place(self.editor.op("ADD", 1, [left, right], [output], options), output)

    def subtract(self, left: int, right: int, output: int) -> int:
        """left - right, broadcast."""
        return self._place(self.editor.op("SUB", 1, [left, right], [output], schema.SubOptionsT()), output)

    def multiply(self, left: int, right: int, output: int, activation: int = 0) -> int:
        """left * right, broadcast."""
        options = schema.MulOptionsT()
        options.fusedActivationFunction = activation
        return self._place(self.editor.op("MUL", 1, [left, right], [output], options), output)

    def floor(self, source: int, output: int) -> int:
        """Largest whole numbers not above the values."""
        return self._place(self.editor.op("FLOOR", 1, [source], [output]), output)

    def reshape(self, source: int, output: int) -> int:
        """The same numbers in the shape of `output`."""
        return self._place(self.editor.reshape(source, output), output)

    def bitcast(self, source: int, output: int) -> int:
        """The same bits as another type."""
        return self._place(self.editor.op("BITCAST", 1, [source], [output], schema.BitcastOptionsT()), output)

    def concatenate(self, parts: Sequence[int], output: int) -> int:
        """Along the last axis."""
        return self._place(self.editor.concatenate(parts, output), output)

    def cut(self, source: int, output: int, start: int, width: int) -> int:
        """`width` values of the last axis from `start`."""
        return self._place(self.editor.cut(source, output, start, width), output)

    def pad_last(self, source: int, output: int, padding: int = 1) -> int:
        """`padding` zeros appended to the last axis."""
        return self._place(self.editor.pad_last(source, output, padding), output)

    def fully_connected(self, source: int, weights: int, output: int, *, like: FlatObject, version: int) -> int:
        """Products with every row of `weights`; see `GraphEditor.fully_connected`."""
        return self._place(self.editor.fully_connected(source, weights, output, like=like, version=version), output)

    def _place(self, op: FlatObject, output: int) -> int:
        self.placed.append(op)
        return output
