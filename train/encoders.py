"""How a history becomes a query vector, by name; the pocket preset fits them (pocket/fitted_retrievers.py)."""

from dataclasses import dataclass

# Narrower vectors than 4 hold next to nothing.
MIN_DIMENSION, MOST_DIMENSION = 4, 512


@dataclass(frozen=True)
class Encoder:
    """A way to encode a history.

    Attributes:
        summary: one line for people.
        dimension: width of query and candidate vectors where none is asked for.
        wider: widths that validation may take instead, where none is asked for.
        least_dimension: the narrowest.
    """

    summary: str
    dimension: int = 32
    wider: tuple[int, ...] = ()
    least_dimension: int = MIN_DIMENSION


AUTO = "auto"
_WIDER = (64, 128, 256)
ENCODERS = {
    AUTO: Encoder(
        "linear; for catalogues too large to solve exactly, linear or pooling, whichever validation prefers",
        wider=_WIDER,
    ),
    "linear": Encoder("weights from items to items, solved in closed form and cut to low rank", wider=_WIDER),
    "pooling": Encoder("a weighted mean of item vectors, trained with a sampled softmax"),
    "transformer": Encoder("one block of causal attention over the item vectors, trained on sequences", 64),
    "blend": Encoder(
        "linear and transformer, half of the vectors each: better at the next item, and larger", 128, least_dimension=8
    ),
}
DEFAULT_ENCODER = AUTO
DEFAULT_DIMENSION = ENCODERS[DEFAULT_ENCODER].dimension
