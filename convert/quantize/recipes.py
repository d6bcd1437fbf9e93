"""The recipes: how a variant's weights are stored, and what its arithmetic is."""

from dataclasses import dataclass

from ...core.errors import pick

# Bits per element of what weights can be stored in.
BITS = {"float32": 32, "float16": 16, "int8": 8, "int4": 4}
_DENSE = ("float32", "float16", "int8")
_ACTIVATIONS = ("", "int8", "int16")


@dataclass(frozen=True)
class Recipe:
    """How weights are stored. Readers use the fields and properties; the name of a recipe is never compared.

    Attributes:
        summary: one line for people.
        tables: storage of embedding rows: float32, float16, int8 or int4; the last two with one scale per row.
        dense: storage of dense layers' weights: float32, float16 or int8.
        activations: int8 or int16 where the inputs and outputs of dense layers have calibrated ranges, which takes
            representative data; '' where they are float32 or quantized dynamically.

    Raises:
        ValueError: a storage type that does not exist, or calibrated activations without int8 weights.
    """

    summary: str
    tables: str
    dense: str
    activations: str = ""

    def __post_init__(self) -> None:
        if self.tables not in BITS or self.dense not in _DENSE or self.activations not in _ACTIVATIONS:
            raise ValueError(f"no such storage: {self}")
        if self.activations and self.dense != "int8":
            raise ValueError(f"calibrated activations need int8 weights: {self}")

    @property
    def is_exact(self) -> bool:
        """Whether the weights are those of the trained model, bit for bit."""
        return self.tables == self.dense == "float32"

    @property
    def has_integer_tables(self) -> bool:
        """Whether embedding rows are stored as integers, so that float32 tables left in the file are a fault."""
        return self.tables.startswith("int")

    @property
    def is_quantized(self) -> bool:
        """Whether any weights are stored as integers."""
        return self.has_integer_tables or self.dense == "int8"

    @property
    def needs_calibration(self) -> bool:
        """Whether it takes representative data."""
        return bool(self.activations)

    @property
    def candidates_dtype(self) -> str:
        """Storage of candidate vectors beside a query encoder of this recipe: float32 or int8."""
        return "int8" if self.has_integer_tables else "float32"


RECIPES = {
    "float32": Recipe("weights as trained", "float32", "float32"),
    "float16": Recipe("weights in half precision, arithmetic in float32", "float16", "float16"),
    "dynamic_int8": Recipe("int8 rows and weights, activations quantized dynamically", "int8", "int8"),
    "static_int8": Recipe(
        "int8 rows and weights, activations in int8 ranges calibrated on representative data", "int8", "int8", "int8"
    ),
    "int16x8": Recipe(
        "int8 rows and weights, activations in int16 ranges calibrated on representative data", "int8", "int8", "int16"
    ),
    "int4_rows": Recipe("int4 rows, two per byte, int8 weights", "int4", "int8"),
}
DEFAULT_RECIPE = "dynamic_int8"


def pick_recipe(name: str, what: str = "--recipe") -> Recipe:
    """The recipe of that name.

    Raises:
        InputError: none is named so.
    """
    return RECIPES[pick(what, name, RECIPES)]


def coarsest_recipe() -> str:
    """The recipe that keeps the fewest bits per row element: its gates are the loosest."""
    return min(RECIPES, key=lambda name: BITS[RECIPES[name].tables])
