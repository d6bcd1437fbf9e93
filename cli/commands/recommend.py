"""`pocketrec recommend`: a list for a person, from a bundle or a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...api.rules import checked
from ..console import show, show_json, working
from ..options import Json, Keys, Verbose

if TYPE_CHECKING:
    from ...core.queries.reasons import Why
    from ...core.queries.recommendation import Answer


@checked
def recommend(
    where: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="A bundle, or a run.", show_default=False)],
    user: Annotated[str | None, typer.Option(help="A user id that the models know.")] = None,
    history: Annotated[
        list[str] | None, typer.Option(metavar="TITLE[=STARS]", help="An item used, oldest first; may be repeated.")
    ] = None,
    dislike: Annotated[
        list[str] | None, typer.Option(metavar="TITLE", help="An item disliked, by title or id; may be repeated.")
    ] = None,
    prefer: Annotated[list[str] | None, typer.Option(help="A genre or another preference; may be repeated.")] = None,
    genres: Annotated[
        list[str] | None, typer.Option("--genre", help="Narrow the list to a genre; may be repeated.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many items.")] = 10,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave unknown titles out instead of stopping.")
    ] = False,
    why: Annotated[bool, typer.Option("--why", help="Say which items of the history each score comes from.")] = False,
    as_json: Json = False,
    keys: Keys = None,
    verbose: Verbose = False,
) -> None:
    """Print recommendations from a bundle or a run.

    A bundle answers as the phone would, a run as the server would.

    \b
    Examples:
      pocketrec recommend bundle --history "Speed (1994)=5" --prefer Sci-Fi
      pocketrec recommend bundle --history "Alien (1979)" --dislike "Speed (1994)"
      pocketrec recommend bundle --prefer Western --why
      pocketrec recommend run --user 42 --top 5 --json
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
            dislike=dislike or (),
            why=why,
            keys=keys or (),
        )
    if as_json:
        return show_json(found.to_json())
    return show_answer(found, f"For user {user}" if user else "For this history")


def show_answer(found: "Answer", title: str) -> None:
    """The items, best first, and what was noticed about the query; a column of stars where ratings are predicted."""
    from rich.table import Table

    because, predicted = found.why_method is not None, any(item.stars is not None for item in found)
    columns = [*(["stars"] if predicted else []), *(["why"] if because else [])]
    table = Table("", "title", "genres", "score", *columns, title=title)
    for place, item in enumerate(found, start=1):
        stars = [] if item.stars is None else [f"{item.stars:.2f}"]
        reasons = [_reasons(item.why)] if because else []
        table.add_row(str(place), item.title, ", ".join(item.genres), f"{item.score:.3f}", *stars, *reasons)
    show(*(f"note: {note}" for note in found.notes), table)


def _reasons(why: "Why | None") -> str:
    """What added most to a score, the most first: items of the history, and what else did."""
    if why is None:
        return ""
    items = [(f"not {reason.title}" if reason.disliked else reason.title, reason.contribution) for reason in why.items]
    others = [("preferences", why.preferences), ("popularity", why.popularity)]
    parts = items + [(name, value) for name, value in others if value is not None and value > 0]
    return ", ".join(f"{name} {value:+.2f}" for name, value in sorted(parts, key=lambda part: -part[1]))
