"""The operators that rewritten models consist of: each method makes one, not yet placed among the others."""

from collections.abc import Sequence

import numpy as np

from ...runtimes.model_file.schema import FlatObject, schema
from .editor import Editor, Scale


class GraphEditor(Editor):
    """An editor that knows the operators this kit writes, under the versions that their contents require."""

    def op(
        self, name: str, version: int, inputs: Sequence[int], outputs: Sequence[int], options: FlatObject = None
    ) -> FlatObject:
        """A new operator, not yet placed."""
        made = schema.OperatorT()
        made.opcodeIndex = self.code(getattr(schema.BuiltinOperator, name), version)
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        return made

    def scale_of(self, index: int) -> np.float32:
        """The first quantization scale of a tensor."""
        return self.tensor(index).quantization.scale[0]

    def alias(self, index: int, shape: Sequence[int], tensor_type: int | None = None) -> int:
        """Another tensor that reads the same bytes, with another shape or type."""
        known = self.tensor(index)
        made = self.add_tensor(shape, known.type if tensor_type is None else tensor_type)
        self.tensor(made).buffer = known.buffer
        self.tensor(made).quantization = known.quantization if tensor_type is None else None
        return made

    def resized(self, index: int, width: int, tensor_type: int, *, scale: Scale = None) -> int:
        """A new tensor with the shape of another except for its last dimension."""
        known = self.tensor(index)
        free = None if known.shapeSignature is None else [*list(known.shapeSignature)[:-1], width]
        return self.add_tensor([*list(known.shape)[:-1], width], tensor_type, scale=scale, free=free)

    def with_axis(self, index: int, width: int, tensor_type: int) -> int:
        """A new tensor with the shape of another and one axis more."""
        known = self.tensor(index)
        free = None if known.shapeSignature is None else [*list(known.shapeSignature), width]
        return self.add_tensor([*list(known.shape), width], tensor_type, free=free)

    def gather(self, table: int, ids: int, output: int) -> FlatObject:
        """Rows of int8, int16, bool, uint8, int32 or float32 by id."""
        options = schema.GatherOptionsT()
        options.axis = 0
        versions = {schema.TensorType.INT8: 2, schema.TensorType.BOOL: 3, schema.TensorType.INT16: 4}
        version = versions.get(self.tensor(table).type, 1)
        return self.op("GATHER", version, [table, ids], [output], options)

    def dequantize(self, source: int, output: int) -> FlatObject:
        """int8 or float16 to float32."""
        version = 3 if self.tensor(source).type in (schema.TensorType.FLOAT16, schema.TensorType.INT16) else 2
        return self.op("DEQUANTIZE", version, [source], [output], schema.DequantizeOptionsT())

    def quantize(self, source: int, output: int) -> FlatObject:
        """float32 to int8 or int16."""
        version = 2 if self.tensor(output).type == schema.TensorType.INT16 else 1
        return self.op("QUANTIZE", version, [source], [output], schema.QuantizeOptionsT())

    def concatenate(self, parts: Sequence[int], output: int) -> FlatObject:
        """Along the last axis."""
        options = schema.ConcatenationOptionsT()
        options.axis = len(self.tensor(output).shape) - 1
        return self.op("CONCATENATION", 1, parts, [output], options)

    def cut(self, source: int, output: int, start: int, width: int) -> FlatObject:
        """`width` values of the last axis from `start`."""
        rank = len(self.tensor(source).shape)
        begin = self.add_constant(np.array([0] * (rank - 1) + [start], np.int32))
        size = self.add_constant(np.array([-1] * (rank - 1) + [width], np.int32))
        return self.op("SLICE", 1, [source, begin, size], [output], schema.SliceOptionsT())

    def reshape(self, source: int, output: int) -> FlatObject:
        """The same numbers in the shape of `output`, of which one dimension may be free.

        The shape stands in the operator's options: as a constant it would take a tensor and a buffer more.
        """
        made, options = self.tensor(output), schema.ReshapeOptionsT()
        options.newShape = [int(n) for n in (made.shape if made.shapeSignature is None else made.shapeSignature)]
        return self.op("RESHAPE", 1, [source], [output], options)

    def pad_last(self, source: int, output: int, padding: int = 1) -> FlatObject:
        """`padding` zeros appended to the last axis."""
        rank = len(self.tensor(source).shape)
        paddings = self.add_constant(np.array([[0, 0]] * (rank - 1) + [[0, padding]], np.int32))
        return self.op("PAD", 1, [source, paddings], [output], schema.PadOptionsT())

    def fully_connected(self, source: int, weights: int, output: int, *, like: FlatObject, version: int) -> FlatObject:
        """Products with every row of `weights`, shaped as another FULLY_CONNECTED does; no bias, no activation."""
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = like.builtinOptions.keepNumDims
        options.asymmetricQuantizeInputs = version == 9
        return self.op("FULLY_CONNECTED", version, [source, weights, -1], [output], options)
