"""How a history becomes a query vector, by name; the pocket preset fits them (pocket/fitted_retrievers.py)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Encoder:
    """A way to encode a history.

    Attributes:
        summary: one line for people.
    """

    summary: str


ENCODERS = {
    "linear": Encoder("weights from items to items, solved in closed form and cut to low rank"),
    "pooling": Encoder("a weighted mean of item vectors, trained with a sampled softmax"),
}
DEFAULT_ENCODER = "linear"
# Width of query and candidate vectors. Narrower ones than 4 hold next to nothing.
DEFAULT_DIMENSION, MIN_DIMENSION, MOST_DIMENSION = 32, 4, 512
# The widths that validation chooses from where none is given, for encoders that can.
DIMENSIONS = (DEFAULT_DIMENSION, 64, 128, 256)
