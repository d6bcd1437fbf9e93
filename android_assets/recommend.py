"""Recommendations from a bundle, as the app would make them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.directory_swap import while_unchanged
from ..core.errors import InputError
from ..core.queries.query import Query
from ..core.queries.recommendation import Answer, Question, check_top, make_answer
from ..core.run_dir import open_run
from ..train.server_recommender import recommend_from_run
from .reading.verify import opened_bundle


def recommend(
    where: Path,
    *,
    user: str | None = None,
    history: Sequence[str] = (),
    prefer: Sequence[str] = (),
    genre: Sequence[str] = (),
    top: int = 10,
    skip_unknown: bool = False,
    keys: Sequence[Path] = (),
) -> Answer:
    """Recommend for a known user, or for a history and preferences; what was watched is left out.

    Args:
        where: a bundle, folder or zip (answered by its models on an installed phone runtime), or a run (by its SavedModels).
        user: an id from the user vocabulary; with a run, their training history is what was watched.
        history: `TITLE` or `TITLE=STARS`, oldest first.
        prefer: declared preferences, such as a genre.
        genre: genres the answer is narrowed to; all when empty.
        top: how many; at most what the bundle returns.
        skip_unknown: leave unknown titles out instead of refusing them.
        keys: Ed25519 public keys, with one of which a bundle must be signed.

    Raises:
        InputError: neither bundle nor run, a question that cannot be understood, `top` out of range.
        CheckFailed: the bundle is not as its manifest says, or a model does not run.
    """
    if user is not None and (history or prefer):
        raise InputError("query", expected="either --user, or --history and --prefer", given="both", do="leave one out")
    question = Question(user, history, prefer, genre, top, skip_unknown)
    if where.is_file() or (where / "manifest.json").is_file():
        return while_unchanged(where, lambda: _from_bundle(where, question, keys))
    return recommend_from_run(open_run(where), question)


def _from_bundle(where: Path, question: Question, keys: Sequence[Path]) -> Answer:
    with opened_bundle(where, keys=keys) as loaded:
        check_top(question.top, loaded.most, "what the bundle returns")
        nobody = np.empty(0, np.int32)
        rating_range = loaded.manifest["rating_range"]
        asked = question.asked(
            loaded.catalogue, loaded.items, rating_range, lambda user: Query(user, nobody, nobody, nobody, nobody)
        )
        (found,), _ = loaded.answers([asked.query], question.top)
        return make_answer(loaded.items, found.ids, found.scores, found.stars, asked.notes)
