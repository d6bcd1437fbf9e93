"""`pocketrec recommend`: a list for a person, from a bundle or a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...api.rules import checked
from ..console import show, working
from ..options import Keys, Verbose

if TYPE_CHECKING:
    from ...core.queries.recommendation import Answer


@checked
def recommend(
    where: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="A bundle, or a run.", show_default=False)],
    user: Annotated[str | None, typer.Option(help="A user id that the models know.")] = None,
    history: Annotated[
        list[str] | None, typer.Option(metavar="TITLE[=STARS]", help="An item used, oldest first; may be repeated.")
    ] = None,
    prefer: Annotated[list[str] | None, typer.Option(help="A genre or another preference; may be repeated.")] = None,
    genres: Annotated[
        list[str] | None, typer.Option("--genre", help="Narrow the list to a genre; may be repeated.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many items.")] = 10,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave unknown titles out instead of stopping.")
    ] = False,
    keys: Keys = None,
    verbose: Verbose = False,
) -> None:
    """Print recommendations from a bundle or a run.

    A bundle answers as the phone would, a run as the server would.

    \b
    Examples:
      pocketrec recommend bundle --history "Speed (1994)=5" --prefer Sci-Fi
      pocketrec recommend run --user 42 --top 5
    """
    from ...api.bundles import recommend as answer

    with working(verbose):
        found = answer(
            where,
            user=user,
            history=history or (),
            prefer=prefer or (),
            genres=genres or (),
            top=top,
            skip_unknown=skip_unknown,
            keys=keys or (),
        )
    show_answer(found, f"For user {user}" if user else "For this history")


def show_answer(found: "Answer", title: str) -> None:
    """The items, best first, and what was noticed about the query; a column of stars where ratings are predicted."""
    from rich.table import Table

    predicted = [item.stars for item in found if item.stars is not None]
    table = Table("", "title", "genres", "score", *(["stars"] if predicted else []), title=title)
    for place, item in enumerate(found, start=1):
        stars = [] if item.stars is None else [f"{item.stars:.2f}"]
        table.add_row(str(place), item.title, ", ".join(item.genres), f"{item.score:.3f}", *stars)
    show(*(f"note: {note}" for note in found.notes), table)
