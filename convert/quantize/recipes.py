"""The recipes: how a variant's weights are stored and what its arithmetic is."""

from dataclasses import dataclass

import numpy as np


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
    def is_exact(self) -> bool:
        """Whether the weights are those of the trained model, bit for bit."""
        return self.tables == self.dense == "float32" and not self.activations

    @property
    def is_quantized(self) -> bool:
        """Whether any weights are stored as integers."""
        return bool({self.tables, self.dense} & set(_INTEGER_BITS))

    @property
    def has_integer_tables(self) -> bool:
        """Whether embedding rows are stored as integers, so that float32 tables left in the file are a fault."""
        return self.tables in _INTEGER_BITS

    @property
    def candidates_dtype(self) -> str:
        """What candidate vectors are stored in beside an encoder of this recipe: float32 or int8."""
        return "int8" if self.has_integer_tables else "float32"

    @property
    def bits_per_element(self) -> int:
        """Bits of one element of an embedding row."""
        return _INTEGER_BITS.get(self.tables) or np.dtype(self.tables).itemsize * 8


_INTEGER_BITS = {"int8": 8, "int4": 4}


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


def coarsest_recipe() -> str:
    """The recipe that keeps the fewest bits of a row: its gates are the loosest."""
    return min(RECIPES, key=lambda name: RECIPES[name].bits_per_element)
