"""Tables of results: each is a list of columns, described once and rendered as HTML, as Markdown and in the terminal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .presentation import plain

Formatter: TypeAlias = Callable[[Any], str]
HTML, MARKDOWN, TERMINAL = "html", "markdown", "terminal"
EVERYWHERE = frozenset((HTML, MARKDOWN, TERMINAL))


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        heading: what stands above it.
        field: the row's field that it shows, dotted where it lies deeper; '' for the row as a whole.
        format: the field as text.
        is_number: whether it is aligned to the right.
        shown: the surfaces it appears on.
        drop: in a narrow terminal, columns with the largest go first; those with 0 stay.
        wraps: whether long text is broken into lines on a page that keeps other columns in one.
        tone: the field whose value colours the cell, such as a status; '' for none.
    """

    heading: str
    field: str
    format: Formatter = plain
    is_number: bool = True
    shown: frozenset[str] = EVERYWHERE
    drop: int = 0
    wraps: bool = False
    tone: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and the value that colours it, '' for none."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Grid:
    """A table ready to be rendered.

    Attributes:
        columns: those that are shown.
        rows: one cell per column.
        sources: where each row comes from, for whoever wants to look it up; empty where that is not said.
        sections: a value per row; a line is drawn where it changes. Empty for no lines.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    sources: Sequence[str] = ()
    sections: Sequence[object] = ()


def grid(
    columns: Iterable[Column],
    rows: Iterable[object],
    surface: str = HTML,
    *,
    sources: Sequence[str] = (),
    section: str = "",
) -> Grid:
    """Lay rows out under the columns that a surface shows.

    Args:
        rows: records, or JSON objects.
        sources: where each row comes from.
        section: a field; a line is drawn where it changes.
    """
    shown, rows = [column for column in columns if surface in column.shown], list(rows)
    cells = [[Cell(c.format(field_of(row, c.field)), _tone(row, c)) for c in shown] for row in rows]
    return Grid(shown, cells, sources, [field_of(row, section) for row in rows] if section else [])


def _tone(row: object, column: Column) -> str:
    return str(field_of(row, column.tone)) if column.tone else ""


def field_of(row: object, name: str) -> Any:
    """A field of a record or JSON object, by its dotted name; None where an object lacks it; the row itself for ''."""
    for part in name.split(".") if name else ():
        if row is None:
            return None
        row = row.get(part) if isinstance(row, Mapping) else getattr(row, part)
    return row
