"""How a history becomes a query vector, by name; the pocket preset fits them (pocket/fitted_retrievers.py)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Encoder:
    """A way to encode a history.

    Attributes:
        summary: one line for people.
    """

    summary: str


AUTO = "auto"
ENCODERS = {
    AUTO: Encoder("linear; for catalogues too large to solve exactly, linear or pooling, whichever validation prefers"),
    "linear": Encoder("weights from items to items, solved in closed form and cut to low rank"),
    "pooling": Encoder("a weighted mean of item vectors, trained with a sampled softmax"),
    "transformer": Encoder("one block of causal attention over the item vectors, trained on sequences"),
}
DEFAULT_ENCODER = AUTO
# Width of query and candidate vectors. Narrower ones than 4 hold next to nothing.
DEFAULT_DIMENSION, MIN_DIMENSION, MOST_DIMENSION = 32, 4, 512
