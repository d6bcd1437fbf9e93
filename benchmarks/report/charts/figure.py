"""What a chart of the report is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """A chart: its SVG drawings `wide` and `narrow`, its finding in words, the table of its data, and where that comes from."""

    name: str
    title: str
    caption: str
    source: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    svg: Mapping[str, str] = field(default_factory=dict)


def span(values: Sequence[float], room: float = 1.25) -> tuple[float, float]:
    """Bounds of a log axis, with room at both ends."""
    return min(values) / room, max(values) * room
