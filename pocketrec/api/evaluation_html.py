"""The tables of an evaluation for notebooks."""

from html import escape

from ..benchmarks.report.columns import Cell, Grid
from ..benchmarks.report.evaluation_tables import BEST, lists_grid, models_grid, protocol_text, situations_grid
from ..core.records.evaluation import Evaluation


def evaluation_html(document: Evaluation) -> str:
    """The tables that `pocketrec evaluate` prints; the best of a column is bold."""
    grids = models_grid(document), situations_grid(document), lists_grid(document)
    return "".join(map(_table, grids)) + f"<p>{escape(protocol_text(document))}</p>"


def _table(grid: Grid) -> str:
    head = "".join(f"<th>{escape(column.heading)}</th>" for column in grid.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in grid.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    return f"<td>{f'<b>{text}</b>' if cell.tone == BEST else text}</td>"
