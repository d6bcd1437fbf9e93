"""The heat map of a parity report for notebooks."""

from html import escape
from typing import TYPE_CHECKING

from ..core.records.parity import ParityReport

if TYPE_CHECKING:
    from ..benchmarks.report.heat_map import HeatCell, HeatRow

_COLORS = {"pass": "#1a7f37", "fail": "#cf222e", "error": "#9a6700", "skipped": "#8c959f"}


def heat_map(report: ParityReport) -> str:
    """Rows by graph and recipe, columns by runtime, target and delegate; a cell's depth is the share of its gate that is used."""
    from ..benchmarks.report.heat_map import matrix

    grid = matrix(report.rows)
    groups = "".join(f'<th colspan="{n}">{escape(str(runtime))}</th>' for runtime, n in grid.groups)
    places = "".join(f"<th>{escape(column.short)}</th>" for column in grid.columns)
    rows = "".join(_row(row) for row in grid.rows)
    return f"<table><thead><tr><th></th>{groups}</tr><tr><th></th>{places}</tr></thead><tbody>{rows}</tbody></table>"


def _row(row: "HeatRow") -> str:
    name = " ".join(part for part in (row.graph, row.recipe) if part)
    return f"<tr><th>{escape(name)}</th>{''.join(map(_cell, row.cells))}</tr>"


def _cell(cell: "HeatCell | None") -> str:
    if cell is None:
        return "<td></td>"
    color, depth = _COLORS[cell.status], 25 + round(0.75 * cell.heat)
    style = f"background: color-mix(in srgb, {color} {depth}%, transparent)"
    return f'<td style="{style}" title="{escape(cell.label, quote=True)}">{cell.mark} {escape(cell.share)}</td>'
