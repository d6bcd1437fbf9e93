"""The recipes: how a variant's weights are stored and what its arithmetic is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How weights and arithmetic are stored.

    Attributes:
        summary: one line for people.
        tables: what embedding rows are stored in: float32, float16, int8 or int4; the last two with a scale a row.
        dense: what the weights of dense layers are stored in: float32, float16 or int8.
        activations: int8 or int16 where the inputs and outputs of dense layers have fixed ranges, which takes representative
            data; '' where they are float32 or quantized as they come.
    """

    summary: str
    tables: str
    dense: str
    activations: str = ""

    @property
    def is_quantized(self) -> bool:
        """Whether float32 tables left in the file are a fault."""
        return self.dense == "int8"


RECIPES = {
    "float32": Recipe("weights as trained", "float32", "float32"),
    "float16": Recipe("weights in half precision, arithmetic in float32", "float16", "float16"),
    "dynamic_int8": Recipe("int8 rows and weights, activations quantized as they come", "int8", "int8"),
    "static_int8": Recipe(
        "int8 rows and weights, activations in int8 ranges measured on training histories", "int8", "int8", "int8"
    ),
    "int16x8": Recipe(
        "int8 rows and weights, activations in int16 ranges measured on training histories", "int8", "int8", "int16"
    ),
    "int4_rows": Recipe("int4 rows, two to a byte, int8 weights", "int4", "int8"),
}
DEFAULT_RECIPE = "dynamic_int8"
