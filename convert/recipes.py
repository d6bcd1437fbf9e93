"""The recipes: how a variant's weights are stored."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How weights and arithmetic are stored.

    Attributes:
        summary: one line for people.
        weights: dtype that weights and tables are stored in.
        quantized: whether float32 tables left in the file are a fault.
        scale_rows: whether a scored catalogue is stored with one scale a row.
    """

    summary: str
    weights: str
    quantized: bool = False
    scale_rows: bool = False


RECIPES = {
    "float32": Recipe("weights as trained", "float32"),
    "float16": Recipe("weights in half precision, arithmetic in float32", "float16"),
    "dynamic_int8": Recipe(
        "int8 weights and tables, activations quantized as they come", "int8", quantized=True, scale_rows=True
    ),
}
DEFAULT_RECIPE = "dynamic_int8"
