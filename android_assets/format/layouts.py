"""The layouts: which graphs a bundle holds, and so how an app gets from a history to a list."""

from collections.abc import Collection
from dataclasses import dataclass

from ...core.errors import InputError, pick


@dataclass(frozen=True)
class Layout:
    """A way to answer.

    Attributes:
        summary: one line for people.
        graphs: keys of `GRAPHS` whose models it holds.
        has_candidates: whether the catalogue's vectors are a file of their own, which updates can replace without a model.
    """

    summary: str
    graphs: tuple[str, ...]
    has_candidates: bool = False


# The first that a run's graphs allow is the default.
LAYOUTS = {
    "cascade": Layout("one model retrieves and ranks", ("recommender",)),
    "pair": Layout("a retriever, and a ranker for any films an app asks about", ("retriever", "ranker")),
    "split": Layout("a query encoder, and the catalogue as a file of its own", ("query_encoder",), has_candidates=True),
}


def chosen_layout(name: str | None, converted: Collection[str]) -> str:
    """The layout asked for, or the first whose graphs were converted.

    Raises:
        InputError: an unknown name, or graphs that were not converted.
    """
    if name is not None:
        pick("--layout", name, LAYOUTS)
    for layout in [name] if name else LAYOUTS:
        if set(LAYOUTS[layout].graphs) <= set(converted):
            return layout
    wanted = LAYOUTS[name or "cascade"].graphs
    raise InputError(
        "bundle",
        expected=f"converted {' and '.join(wanted)}" + ("" if name else ", or the graphs of another --layout"),
        given=", ".join(sorted(converted)) or "nothing",
        do="run `pocketrec convert RUN`",
    )
