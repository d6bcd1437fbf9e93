"""Recommendations from a bundle, as the app would make them, or from a run, as the server would."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmarks.processes import run_variant
from ..benchmarks.queries import VOCABULARIES, HeldOut
from ..benchmarks.query_inputs import Catalogue, Query, feed
from ..benchmarks.reference import ask
from ..benchmarks.runtimes import any_phone_runtime
from ..convert.graphs import MASKED_BELOW
from ..train.artifacts import Run, open_run
from ..train.errors import CheckFailed, InputError
from ..train.metrics import top_k
from ..train.stage import read_vocabulary
from .asking import Asked, ask_history, known_genres, user_index
from .verify import open_bundle


@dataclass(frozen=True)
class Recommendation:
    """One item of an answer: retrieval score and predicted stars."""

    id: str
    title: str
    genres: list[str]
    score: float
    stars: float


@dataclass(frozen=True)
class Answer:
    """Items, best first, and what was noticed about the question."""

    items: list[Recommendation]
    notes: list[str] = field(default_factory=list)


def recommend(
    where: Path,
    *,
    user: str | None = None,
    history: Sequence[str] = (),
    prefer: Sequence[str] = (),
    genre: Sequence[str] = (),
    top: int = 10,
    skip_unknown: bool = False,
    key: Path | None = None,
) -> Answer:
    """Recommend for a known user, or for a history and preferences; what was watched is left out.

    Args:
        where: a bundle (answered by its models on an installed phone runtime) or a run (answered by its SavedModels).
        user: an id from the user vocabulary; with a run, their training history is what was watched.
        history: `TITLE` or `TITLE=STARS`, oldest first.
        prefer: declared preferences, such as a genre.
        genre: genres the answer is narrowed to; all when empty.
        top: how many; at most what the retriever returns.
        skip_unknown: leave unknown titles out instead of refusing them.
        key: Ed25519 public key that a bundle must be signed with.

    Raises:
        InputError: neither bundle nor run, a question that cannot be understood, `top` out of range.
        CheckFailed: the bundle is not as its manifest says, or a model does not run.
    """
    if user is not None and (history or prefer):
        raise InputError("query", expected="either --user, or --history and --prefer", given="both", do="leave one out")
    question = _Question(user, history, prefer, genre, top, skip_unknown)
    if (where / "manifest.json").is_file():
        return _from_bundle(where, question, key)
    return _from_run(open_run(where), question)


@dataclass(frozen=True)
class _Question:
    """What was asked, in people's words; see `recommend`."""

    user: str | None
    history: Sequence[str]
    prefer: Sequence[str]
    genre: Sequence[str]
    top: int
    skip_unknown: bool

    def asked(
        self,
        names: Catalogue,
        items: Sequence[dict[str, Any]],
        rating_range: Sequence[float],
        of_user: Callable[[int], Query],
    ) -> Asked:
        """The query it means, and what was noticed; `of_user` makes the query of a known user."""
        if self.user is not None:
            asked = Asked(of_user(user_index(self.user, names.users)))
        else:
            titles = [item["title"] for item in items]
            asked = ask_history(self.history, self.prefer, names, titles, rating_range, skip_unknown=self.skip_unknown)
        return replace(asked, query=replace(asked.query, genres=known_genres(self.genre, names.genres)))


def _check_top(top: int, most: int, what: str) -> None:
    if not 1 <= top <= most:
        raise InputError("--top", expected=f"1 to {most}, {what}", given=top, do="choose another")


def _from_bundle(folder: Path, question: _Question, key: Path | None) -> Answer:
    manifest = open_bundle(folder, key=key)
    items = json.loads((folder / manifest["items"]).read_text(encoding="utf-8"))
    names = _catalogue(folder, manifest)
    if [item["id"] for item in items] != names.items:
        raise CheckFailed(f"{manifest['items']}: its order is not that of the item vocabulary")
    models = {model["graph"]: model for model in manifest["models"]}
    k = next(port["shape"][0] for port in models["retriever"]["outputs"] if port["name"] == "ids")
    top = question.top
    _check_top(top, min(k, len(items)), "what the retriever returns")
    nobody = np.empty(0, np.int32)
    asked = question.asked(
        names, items, manifest["rating_range"], lambda user: Query(user, nobody, nobody, nobody, nobody)
    )
    found = _run(folder, models["retriever"], asked.query, names)
    kept = found["scores"][:top] > MASKED_BELOW
    ids, scores = found["ids"][:top][kept], found["scores"][:top][kept]
    stars = _run(folder, models["ranker"], replace(asked.query, items=ids), names)["rating"]
    return Answer(
        [_item(items[i], score, star) for i, score, star in zip(ids, scores, stars, strict=True)], asked.notes
    )


def _catalogue(folder: Path, manifest: dict[str, Any]) -> Catalogue:
    tokens = {row["name"]: read_vocabulary(folder / row["file"]) for row in manifest["vocabularies"]}
    lists = {name: tokens.get(name, []) for name in VOCABULARIES}
    return Catalogue(**lists, window=manifest["window"] or 0)


def _run(folder: Path, model: dict[str, Any], query: Query, names: Catalogue) -> dict[str, np.ndarray]:
    inputs = {port["name"]: feed(port["name"], query, names)[None] for port in model["inputs"]}
    outcome = run_variant(folder / model["file"], inputs, runtime=any_phone_runtime())
    if not outcome:
        raise CheckFailed(f"{model['file']} does not run: {outcome.reason}")
    return {name: value[0] for name, value in outcome.arrays.items()}


def _from_run(run: Run, question: _Question) -> Answer:
    items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
    _check_top(question.top, len(items), "the size of the catalogue")
    data = HeldOut(run)
    asked = question.asked(data.catalogue, items, run.run_json["data"]["rating_range"], data.query)
    from ..train.savedmodels import load_signature

    asking = replace(asked.query, items=np.zeros(1, np.int32))  # a user-keyed query is asked once for each candidate
    query = ask(load_signature(run.saved_model("query"), "serving_default"), asking, data.catalogue)["query"]
    scores = query[:1] @ np.load(run.trained / "candidates.npy").T
    scores[0, asked.query.seen] = -np.inf
    if wanted := set(asked.query.genres):
        scores[0, [not wanted.intersection(item["genres"]) for item in items]] = -np.inf
    ids = top_k(scores, question.top)[0]
    ids = ids[np.isfinite(scores[0, ids])].astype(np.int32)
    ranking = load_signature(run.saved_model("ranking"), "serving_default")
    stars = ask(ranking, replace(asked.query, items=ids), data.catalogue)["rating"].reshape(-1)
    return Answer([_item(items[i], scores[0, i], star) for i, star in zip(ids, stars, strict=True)], asked.notes)


def _item(item: dict[str, Any], score: float, stars: float) -> Recommendation:
    return Recommendation(item["id"], item["title"], item["genres"], float(score), float(stars))
