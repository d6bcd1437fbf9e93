"""items.json: the catalogue, in id order."""

from dataclasses import dataclass
from typing import Annotated

from .record import Doc, Record


@dataclass(frozen=True)
class Item(Record):
    """An item of the catalogue."""

    id: Annotated[str, Doc("as the item vocabulary has it")]
    title: Annotated[str, Doc("what people call it; several items may share one")]
    genres: Annotated[list[str], Doc("what lists can be narrowed to")]
