"""`pocketrec list`: the names that options take."""

from typing import Annotated

import typer

from ..completion import tables
from ..console import show, show_json
from ..options import Json


def list_names(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="Which names. Default: all.", autocompletion=tables)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the names that options take, with a summary each.

    Graphs, recipes, runtimes, targets, datasets, presets, metrics, gates, layouts and the rest of the tables.

    \b
    Examples:
      pocketrec list
      pocketrec list recipes
    """
    from rich.table import Table

    from ...api.tables import TABLES, names

    found = {name: names(name) for name in ([table] if table else TABLES)}
    if as_json:
        return show_json(found)
    for name, entries in found.items():
        grid = Table(name, "", box=None, pad_edge=False, header_style="bold")
        for entry, summary in entries.items():
            grid.add_row(f"  {entry}", summary)
        show(grid)
    return None
