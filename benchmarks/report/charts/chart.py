"""What a chart of the report is: which rows it shows, how they are drawn, what stands in its table, and its finding in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ....core.records.latency import LatencyReport, LatencyRow
from ....core.records.parity import ParityRow
from ....core.records.variants import Variant
from ..columns import Column, Grid, grid
from ..vega import Size, Spec, draw

Point = TypeVar("Point")


@dataclass(frozen=True)
class Results:
    """What charts are made from.

    Attributes:
        latency: latency.json, without rows where there is none.
        variants, parity_rows: rows of variants.json and parity.json.
        folder: RUN/reports, below which raw samples lie.
    """

    latency: LatencyReport
    variants: Sequence[Variant]
    parity_rows: Sequence[ParityRow]
    folder: Path

    @property
    def rows(self) -> list[LatencyRow]:
        """Rows of latency.json that have numbers."""
        return self.latency.measured


@dataclass(frozen=True)
class Figure:
    """A chart as it was drawn: SVG texts `wide` and `narrow`, its finding in words, and the table of its data."""

    name: str
    title: str
    caption: str
    source: str
    table: Grid
    svg: Mapping[str, str]


@dataclass(frozen=True)
class Chart(Generic[Point]):
    """One chart of the report; adding one is adding an entry to `CHARTS`.

    Attributes:
        name: of its section in the page.
        title: heading of the section.
        short_title: in the page's navigation.
        command: measures what it shows.
        source: fields that it is made from.
        select: what it shows, a point each; an empty list where nothing of it was measured.
        columns: of the table of its data, one row per point.
        order: sorts that table; as selected by default.
        spec: Vega-Lite specification in a size.
        caption: the finding in words.
    """

    name: str
    title: str
    short_title: str
    command: str
    source: str
    select: Callable[[Results], Sequence[Point]]
    columns: Sequence[Column]
    spec: Callable[[Sequence[Point], Size], Spec]
    caption: Callable[[Sequence[Point]], str]
    order: Callable[[Point], tuple[float, ...]] = lambda point: ()

    def figure(self, results: Results) -> Figure | None:
        """Draw it; None where nothing of it was measured."""
        points = self.select(results)
        if not points:
            return None
        svg = draw(self.name, lambda size: self.spec(points, size))
        return Figure(
            self.name,
            self.title,
            self.caption(points),
            self.source,
            grid(self.columns, sorted(points, key=self.order)),
            svg,
        )


def span(values: Sequence[float], room: float = 1.25) -> tuple[float, float]:
    """Bounds of a log axis, with room at both ends."""
    return min(values) / room, max(values) * room
