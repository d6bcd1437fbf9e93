"""Building a .tflite graph, from nothing or behind another: every method places one operator and returns the tensor it fills."""

from collections.abc import Sequence

import flatbuffers
import numpy as np

from ...core.errors import InputError
from ...runtimes.model_file.schema import IDENTIFIER, FlatObject, schema
from .editor import Types
from .operators import GraphEditor


class GraphBuilder(GraphEditor):
    """A model to be continued in execution order: an empty one, or a file whose outputs the new operators read."""

    def __init__(self, base: bytes | None = None) -> None:
        super().__init__(base or _empty_model())
        graph, model = self.graph, self.model
        if base is None:
            graph.tensors, graph.inputs, graph.outputs, graph.operators = [], [], [], []
            model.operatorCodes, model.metadata, model.signatureDefs = [], [], []

    def given(self, name: str, shape: Sequence[int]) -> int:
        """The float32 tensor of that name: an output of the file that is continued, otherwise a new input."""
        for signature in self.model.signatureDefs:
            for port in signature.outputs:
                if port.name == name.encode() and self.shape(int(port.tensorIndex)) == list(shape):
                    return int(port.tensorIndex)
            found = {port.name.decode(): self.shape(int(port.tensorIndex)) for port in signature.outputs}
            raise InputError(
                "encoder",
                expected=f"an output {name} {list(shape)}",
                given=found,
                do="use another file",
                code="INPUT_MISMATCH",
            )
        return self.input(name, shape, Types.FLOAT32)

    def input(self, name: str, shape: Sequence[int], tensor_type: int) -> int:
        """A new input, after those there are."""
        index = self.add_tensor(shape, tensor_type, name)
        self.graph.inputs = [*self.graph.inputs, index]
        for signature in self.model.signatureDefs:
            signature.inputs = [*signature.inputs, self.port(name, index)]
        return index

    def float16_constant(self, values: np.ndarray, name: str = "") -> int:
        """A constant kept in float16, widened once when a runtime first meets it."""
        wide = self.add_tensor(values.shape, Types.FLOAT32)
        self.ops.append(self.dequantize(self.add_constant(values.astype(np.float16), name), wide))
        return wide

    def finish(self, **outputs: int) -> bytes:
        """The file's bytes, with the outputs given by name."""
        self.graph.outputs = list(outputs.values())
        if not self.model.signatureDefs:
            self.signature()
        self.model.signatureDefs[0].outputs = [self.port(name, index) for name, index in outputs.items()]
        return self.pack()

    def shape(self, index: int) -> list[int]:
        """A tensor's dimensions."""
        return [int(n) for n in self.tensor(index).shape]

    def products(self, source: int, weights: int, bias: int = -1) -> int:
        """float32[rows of source, rows of weights] of a float32 tensor with float32 or int8 rows, constant or not.

        int8 rows make the runtime quantize `source` as it comes, without zero point (version 3): with one (version 9) the
        kernel keeps sums of the weights' rows from the first call, which are wrong for rows that are not constant.
        """
        is_int8 = self.tensor(weights).type == Types.INT8
        output = self.add_tensor([self.shape(source)[0], self.shape(weights)[0]], Types.FLOAT32)
        options = schema.FullyConnectedOptionsT()
        self._place("FULLY_CONNECTED", 3 if is_int8 else 1, [source, weights, bias], [output], options)
        return output

    def reshaped(self, source: int, shape: Sequence[int]) -> int:
        """The same numbers in another shape."""
        known = self.tensor(source)
        output = self.add_tensor(shape, known.type)
        self.tensor(output).quantization = known.quantization
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        self._place("RESHAPE", 1, [source, self.add_constant(np.array(shape, np.int32))], [output], options)
        return output

    def best(self, source: int, k: int) -> tuple[int, int]:
        """The k largest of float32[n] and their positions int32[k]."""
        values, places = self.add_tensor([k], Types.FLOAT32), self.add_tensor([k], Types.INT32)
        inputs = [source, self.add_constant(np.array(k, np.int32))]
        self._place("TOPK_V2", 1, inputs, [values, places], schema.TopKV2OptionsT())
        return values, places

    def rows(self, table: int, ids: int) -> int:
        """Rows of `table` by int32 id."""
        known = self.tensor(table)
        output = self.add_tensor([*self.shape(ids), *self.shape(table)[1:]], known.type)
        self.tensor(output).quantization = known.quantization
        self.ops.append(self.gather(table, ids, output))
        return output

    def row_maxima(self, source: int) -> int:
        """float32[n] of float32[n, m]."""
        output = self.add_tensor(self.shape(source)[:1], Types.FLOAT32)
        axis = self.add_constant(np.array([1], np.int32))
        self._place("REDUCE_MAX", 1, [source, axis], [output], schema.ReducerOptionsT())
        return output

    def sum(self, left: int, right: int, shape: Sequence[int]) -> int:
        """int32 or float32 sums, broadcast to `shape`."""
        output = self.add_tensor(shape, self.tensor(left).type)
        self._place("ADD", 1, [left, right], [output], schema.AddOptionsT())
        return output

    def times(self, source: int, factor: int) -> int:
        """int32 or float32 products with a scalar."""
        output = self.add_tensor(self.shape(source), self.tensor(source).type)
        self._place("MUL", 1, [source, factor], [output], schema.MulOptionsT())
        return output

    def joined(self, left: int, right: int) -> int:
        """Two vectors, concatenated."""
        output = self.add_tensor([self.shape(left)[0] + self.shape(right)[0]], self.tensor(left).type)
        self.ops.append(self.concatenate([left, right], output))
        return output

    def above(self, source: int, threshold: float) -> int:
        """bool: which float32 values are above the threshold."""
        output, bound = self.add_tensor(self.shape(source), Types.BOOL), np.array(threshold, np.float32)
        self._place("GREATER", 1, [source, self.add_constant(bound)], [output], schema.GreaterOptionsT())
        return output

    def either(self, left: int, right: int) -> int:
        """Logical or of two bool tensors of the same shape."""
        output = self.add_tensor(self.shape(left), Types.BOOL)
        self._place("LOGICAL_OR", 1, [left, right], [output], schema.LogicalOrOptionsT())
        return output

    def wide_ids(self, source: int) -> int:
        """uint8 ids as int32."""
        output, options = self.add_tensor(self.shape(source), Types.INT32), schema.CastOptionsT()
        options.inDataType, options.outDataType = Types.UINT8, Types.INT32
        self._place("CAST", 1, [source], [output], options)
        return output

    def where(self, condition: int, value: float, source: int) -> int:
        """float32[n], `value` where bool[n] holds. The value is filled in: with a lone number SELECT_V2's kernels broadcast."""
        shape = self.shape(source)
        filled, output = self.add_tensor(shape, Types.FLOAT32), self.add_tensor(shape, Types.FLOAT32)
        constants = [self.add_constant(np.array(shape, np.int32)), self.add_constant(np.array(value, np.float32))]
        self._place("FILL", 1, constants, [filled], schema.FillOptionsT())
        self._place("SELECT_V2", 1, [condition, filled, source], [output], schema.SelectV2OptionsT())
        return output

    def _place(
        self, name: str, version: int, inputs: Sequence[int], outputs: Sequence[int], options: FlatObject
    ) -> None:
        self.ops.append(self.op(name, version, inputs, outputs, options))


def _empty_model() -> bytes:
    model: FlatObject = schema.ModelT()
    graph: FlatObject = schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    graph.name, graph.tensors, graph.inputs, graph.outputs, graph.operators = b"main", [], [], [], []
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
