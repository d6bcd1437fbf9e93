"""Numbers of lookup tables.

The converter makes a table's number from the name that TensorFlow gave it, which counts what the process made before. Numbers by
order of appearance make the same graph the same bytes.
"""

import struct

from ...runtimes.model_file.schema import schema

# Runtimes keep tables and variables under one kind of number, and count variables from 0.
_FIRST = 1 << 30
_TABLE_ID_FIELD = 4  # offset in the vtable of HashtableOptions


def with_counted_table_ids(data: bytes) -> bytes:
    """A .tflite file whose tables are numbered in the order of their appearance; nothing else is changed."""
    changed, model, numbers = bytearray(data), schema.Model.GetRootAsModel(data, 0), dict[int, int]()
    for place in range(model.SubgraphsLength()):
        graph = model.Subgraphs(place)
        for op in map(graph.Operators, range(graph.OperatorsLength())):
            if op.BuiltinOptionsType() != schema.BuiltinOptions.HashtableOptions:
                continue
            options = schema.HashtableOptions()
            options.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
            if field := options._tab.Offset(_TABLE_ID_FIELD):
                number = numbers.setdefault(options.TableId(), _FIRST + len(numbers))
                struct.pack_into("<i", changed, options._tab.Pos + field, number)
    return bytes(changed)
