"""Tables in a terminal of any width: long words are folded, and where that is not enough, the least important columns go."""

from collections.abc import Callable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ...benchmarks.report.columns import TERMINAL, Cell, Column, Grid, grid
from ...benchmarks.report.presentation import MARKS

STYLES = {
    "pass": "green",
    "right": "green",
    "better": "green",
    "best": "bold",
    "fail": "bold red",
    "error": "bold red",
    "wrong": "bold red",
    "worse": "bold red",
    "fails": "red",
    "skipped": "yellow",
}
# The tone of a cell of marks, each of which has its own colour.
MARKED = "marks"
_STYLE_OF_MARK = {mark: STYLES[status] for status, mark in MARKS.items()}
# Words up to this length stay whole: a column goes before one of them is folded.
_LONGEST_WORD = 24


def table(
    columns: Sequence[Column], rows: Sequence[object], title: str, *, caption: str = "", section: str = ""
) -> "Fitted":
    """Rows under the columns of the terminal."""
    return Fitted(grid(columns, rows, TERMINAL, section=section), title, caption)


class Fitted:
    """A grid that leaves out columns where the console is too narrow for all, and says which."""

    def __init__(self, content: Grid, title: str, caption: str = "") -> None:
        self.content, self.title, self.caption = content, title, caption

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept, room = list(range(len(self.content.columns))), options.max_width
        is_tight = self._width(kept, self._natural) > room
        while self._width(kept, self._least) > room and (worst := self._first_to_go(kept)) is not None:
            kept.remove(worst)
        yield self._table(kept, is_tight=is_tight, is_short=self._width(kept, self._least) > room)
        hidden = [column.heading for number, column in enumerate(self.content.columns) if number not in kept]
        if hidden:
            yield Text(f"Not shown in {room} columns: {', '.join(hidden)}.".replace("\n", " "), style="dim")

    def _first_to_go(self, kept: Sequence[int]) -> int | None:
        columns = self.content.columns
        worst = max(kept, key=lambda number: columns[number].drop, default=None)
        return worst if worst is not None and columns[worst].drop else None

    def _width(self, kept: Sequence[int], of_column: Callable[[int], int]) -> int:
        """Of the table, with the frame: three characters per column and one more."""
        return sum(of_column(number) + 3 for number in kept) + 1

    def _natural(self, number: int) -> int:
        """Of a column, with no line broken."""
        return max(self._widest(number), _widest_line(self.content.columns[number].heading))

    def _least(self, number: int) -> int:
        """Of a column whose heading is broken into words, and its text too: words up to a limit stay whole, numbers always."""
        column = self.content.columns[number]
        word = max(map(len, column.heading.split()), default=0)
        if column.is_number:
            return max(word, self._widest(number))
        words = (len(part) for row in self.content.rows for part in row[number].text.split())
        return max(word, min(_LONGEST_WORD, max(words, default=0)))

    def _table(self, kept: Sequence[int], *, is_tight: bool, is_short: bool) -> Table:
        """The table of these columns.

        Args:
            is_tight: whether headings of numbers are broken into words.
            is_short: whether words are folded too.
        """
        made = Table(title=self.title, caption=self.caption or None, title_justify="left", caption_justify="left")
        for number in kept:
            column, least = self.content.columns[number], self._least(number)
            if column.is_number:
                made.add_column(column.heading, justify="right", min_width=least, max_width=least if is_tight else None)
            else:
                made.add_column(column.heading, overflow="fold", min_width=None if is_short else least)
        sections = self.content.sections
        for place, row in enumerate(self.content.rows):
            if place and sections and sections[place] != sections[place - 1]:
                made.add_section()
            made.add_row(*(_text(row[number]) for number in kept))
        return made

    def _widest(self, number: int) -> int:
        return max((_widest_line(row[number].text) for row in self.content.rows), default=0)


def _widest_line(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


def _text(cell: Cell) -> Text:
    if cell.tone == MARKED:
        return Text.assemble(*((mark, _STYLE_OF_MARK.get(mark, "")) for mark in cell.text))
    return Text(cell.text, style=STYLES.get(cell.tone, ""))
