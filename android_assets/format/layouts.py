"""The layouts: which graphs a bundle holds, and how an app gets from a query to a list."""

from collections.abc import Collection
from dataclasses import dataclass

from ...core.errors import InputError, pick
from .answers import AnswerFunction, by_encoder_and_search, by_recommender, by_retriever_and_ranker

# The graph whose vectors are searched for among stored candidates.
ENCODER = "query_encoder"


@dataclass(frozen=True)
class Layout:
    """A way to answer.

    Attributes:
        summary: one line for people.
        graphs: the graphs whose models a bundle holds; with `ENCODER` among them where candidates are stored.
        answer: answers queries with those models.
        stores_candidates: the catalogue's vectors are a file of their own, which the client searches, masks and filters.
        gives_ratings: answers hold predicted ratings.
        updatable: updates may replace the catalogue alone, so that models may know fewer items than it holds.
    """

    summary: str
    graphs: tuple[str, ...]
    answer: AnswerFunction
    stores_candidates: bool = False
    gives_ratings: bool = False
    updatable: bool = False


# The first that a run's graphs allow is the default.
LAYOUTS = {
    "cascade": Layout("one model retrieves and ranks", ("recommender",), by_recommender, gives_ratings=True),
    "pair": Layout(
        "a retriever, and a ranker for any items an app asks about",
        ("retriever", "ranker"),
        by_retriever_and_ranker,
        gives_ratings=True,
    ),
    "split": Layout(
        "a query encoder, and the catalogue as a file of its own",
        (ENCODER,),
        by_encoder_and_search,
        stores_candidates=True,
        updatable=True,
    ),
}


def chosen_layout(name: str | None, converted: Collection[str], *, is_implicit: bool = False) -> str:
    """The layout asked for, or the first whose graphs were converted.

    Args:
        is_implicit: the run has no ratings, so that no layout that gives them fits.

    Raises:
        InputError: an unknown name, one that needs ratings, or graphs that were not converted.
    """
    able = [layout for layout in LAYOUTS if not (is_implicit and LAYOUTS[layout].gives_ratings)]
    if name is not None and pick("--layout", name, LAYOUTS) not in able:
        raise InputError(
            "--layout",
            expected=f"{' or '.join(able)}, for a run without ratings",
            given=f"{name}, which predicts ratings",
            do="leave it out, or train on data with ratings",
            code="OPTION_CONFLICT",
        )
    for layout in [name] if name else able:
        if set(LAYOUTS[layout].graphs) <= set(converted):
            return layout
    wanted = LAYOUTS[name or next(iter(LAYOUTS))].graphs
    raise InputError(
        "bundle",
        expected=f"converted {' and '.join(wanted)}" + ("" if name else ", or the graphs of another --layout"),
        given=", ".join(sorted(converted)) or "nothing",
        do="run `pocketrec convert RUN`",
        code="RUN_MISSING",
    )
