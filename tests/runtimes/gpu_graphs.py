"""Smallest graphs that LiteRT's GPU accelerator fails on, for which the converter has no function."""

import numpy as np
from pocketrec.convert.flatbuffer.editor import Types
from pocketrec.convert.flatbuffer.graph_builder import GraphBuilder

CODES = np.random.default_rng(0).integers(-99, 100, size=(20, 8))


def table_of(dtype, scale=None):
    """Rows `y` of a constant [20, 8] by `ids` int32[4]."""
    builder = GraphBuilder()
    ids = builder.input("ids", [4], Types.INT32)
    return builder.finish(y=builder.rows(builder.add_constant(CODES.astype(dtype), scale=scale), ids))


def dequantized(shape):
    """`x` float32 of a shape, plus an int8 constant of that shape."""
    builder = GraphBuilder()
    x, wide = builder.input("x", shape, Types.FLOAT32), builder.add_tensor(shape, Types.FLOAT32)
    codes = builder.add_constant(CODES.reshape(-1)[: np.prod(shape)].reshape(shape).astype(np.int8), scale=0.5)
    builder.ops.append(builder.dequantize(codes, wide))
    return builder.finish(y=builder.sum(x, wide, shape))
