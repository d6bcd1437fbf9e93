"""TensorFlow Lite's flatbuffer schema, and the one place that parses it."""

import importlib
from typing import Any, TypeAlias

# The generated classes annotate byte vectors as lists and strings as str; what they hold is NumPy arrays and bytes.
FlatObject: TypeAlias = Any

schema: FlatObject = importlib.import_module("ai_edge_litert.schema_py_generated")

IDENTIFIER = b"TFL3"
# Key of the signature that the converter and this kit write.
SIGNATURE = "serving_default"


def parse_model(data: bytes) -> FlatObject:
    """The schema's `ModelT` of a .tflite file's bytes; damaged bytes raise whatever the generated code raises."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))


def names_of(enum: FlatObject) -> dict[int, str]:
    """An enumeration's names by value, such as `GATHER` by 36."""
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


# Names of builtin operators by code, and of tensor types, in lower case as NumPy spells them.
OPERATOR_NAMES = names_of(schema.BuiltinOperator)
TYPE_NAMES = {value: name.lower() for value, name in names_of(schema.TensorType).items()}
