"""Recommendations from a bundle, as the app would make them, or from a run, as the server would."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmarks.processes import run_variant
from ..benchmarks.queries import HeldOut
from ..benchmarks.runtimes import any_phone_runtime
from ..train.artifacts import Run, open_run
from ..train.errors import CheckFailed, InputError, nearest
from ..train.metrics import top_k
from ..train.stage import read_vocabulary
from .verify import open_bundle


@dataclass(frozen=True)
class Recommendation:
    """One item of an answer: retrieval score, and predicted stars where a ranker is at hand."""

    id: str
    title: str
    genres: list[str]
    score: float
    stars: float | None


def recommend(
    where: Path, *, user: str | None = None, history: Sequence[str] = (), top: int = 10, key: Path | None = None
) -> list[Recommendation]:
    """Recommend for a known user, best first.

    Args:
        where: a bundle (answered by its models on an installed phone runtime) or a run (answered by its SavedModels; films the
            user rated in training are left out).
        user: an id from the user vocabulary.
        history: `TITLE` or `TITLE=STARS`, oldest first; needs models whose query is a history.
        top: how many; at most what the retriever returns.
        key: Ed25519 public key that a bundle must be signed with.

    Raises:
        InputError: neither bundle nor run, unknown user or title, `top` out of range, no model for such a query.
        CheckFailed: the bundle is not as its manifest says, or a model does not run.
    """
    if (user is None) == (not history):
        raise InputError(
            "query",
            expected="either --user or --history",
            given="both" if history else "neither",
            do="pass one of them",
        )
    is_bundle = (where / "manifest.json").is_file()
    if is_bundle:
        return _from_bundle(where, user, history, top, key)
    return _from_run(open_run(where), user, history, top)


def parse_history(entries: Sequence[str], titles: Sequence[str]) -> list[tuple[int, float | None]]:
    """Turn `TITLE[=STARS]` into (item index, stars); a title may hold '=' itself.

    Raises:
        InputError: an unknown title (the nearest are named), or stars that are no number.
    """
    index = {title: i for i, title in reversed(list(enumerate(titles)))}
    parsed: list[tuple[int, float | None]] = []
    for entry in entries:
        title, _, stars = entry.rpartition("=")
        if entry in index:
            parsed.append((index[entry], None))
        elif title in index and _is_number(stars):
            parsed.append((index[title], float(stars)))
        else:
            unknown = title if title and (_is_number(stars) or title in index) else entry
            if title in index:
                raise InputError(
                    "--history", expected="TITLE=STARS with a number", given=repr(entry), do="write 5 for five stars"
                )
            raise InputError(
                "--history", expected="a title of the catalogue", given=repr(unknown), do=_suggest(unknown, titles)
            )
    return parsed


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def _suggest(name: str, names: Sequence[str]) -> str:
    close = nearest(name, names)
    return f"did you mean {' or '.join(repr(n) for n in close)}?" if close else "nothing resembles it"


def _user_index(user: str, users: Sequence[str]) -> int:
    if user not in users:
        close = nearest(user, users)
        do = f"did you mean {' or '.join(close)}?" if close else f"users look like {', '.join(list(users)[:3])}"
        raise InputError("--user", expected=f"one of {len(users)} known users", given=repr(user), do=do)
    return list(users).index(user)


def _check_top(top: int, most: int, what: str) -> None:
    if not 1 <= top <= most:
        raise InputError("--top", expected=f"1 to {most}, {what}", given=top, do="choose another")


def _refuse_history(history: Sequence[str], titles: Sequence[str]) -> None:
    parse_history(history, titles)
    raise InputError(
        "--history", expected="models whose query is a history", given="models keyed by user id", do="pass --user ID"
    )


def _from_bundle(
    folder: Path, user: str | None, history: Sequence[str], top: int, key: Path | None
) -> list[Recommendation]:
    manifest = open_bundle(folder, key=key)
    items = json.loads((folder / manifest["items"]).read_text(encoding="utf-8"))
    tokens = {row["name"]: read_vocabulary(folder / row["file"]) for row in manifest["vocabularies"]}
    if [item["id"] for item in items] != tokens["items"]:
        raise CheckFailed(f"{manifest['items']}: its order is not that of the item vocabulary")
    models = {model["graph"]: model for model in manifest["models"]}
    k = next(port["shape"][0] for port in models["retriever"]["outputs"] if port["name"] == "ids")
    _check_top(top, min(k, len(items)), "what the retriever returns")
    if user is None:
        _refuse_history(history, [item["title"] for item in items])
    query = np.array([_user_index(str(user), tokens["users"])], np.int32)
    found = _run(folder, models["retriever"], {"user": query, "seen": np.zeros(len(items), bool)})
    ids, scores = found["ids"][:top], found["scores"][:top]
    stars = _run(folder, models["ranker"], {"user": query, "items": ids})["rating"]
    return [_recommendation(items[i], score, star) for i, score, star in zip(ids, scores, stars, strict=True)]


def _run(folder: Path, model: dict[str, Any], inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    outcome = run_variant(
        folder / model["file"], {name: value[None] for name, value in inputs.items()}, runtime=any_phone_runtime()
    )
    if not outcome:
        raise CheckFailed(f"{model['file']} does not run: {outcome.reason}")
    return {name: value[0] for name, value in outcome.arrays.items()}


def _from_run(run: Run, user: str | None, history: Sequence[str], top: int) -> list[Recommendation]:
    items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
    _check_top(top, len(items), "the size of the catalogue")
    data = HeldOut(run)
    if user is None:
        _refuse_history(history, [item["title"] for item in items])
    row = _user_index(str(user), data.users)
    from ..train.savedmodels import call_signature, load_signature

    token = np.array([data.users[row].encode()], object)
    query = call_signature(load_signature(run.saved_model("query"), "serving_default"), {"user_id": token})["query"]
    scores = query @ np.load(run.trained / "candidates.npy").T
    scores[0, data.history.items_of(row)] = -np.inf
    ids = top_k(scores, top)[0]
    titles = np.array([data.items[i].encode() for i in ids], object)
    pairs = {"user_id": np.repeat(token, len(ids)), "movie_title": titles}
    stars = call_signature(load_signature(run.saved_model("ranking"), "serving_default"), pairs)["rating"].reshape(-1)
    return [_recommendation(items[i], scores[0, i], star) for i, star in zip(ids, stars, strict=True)]


def _recommendation(item: dict[str, Any], score: float, stars: float) -> Recommendation:
    return Recommendation(item["id"], item["title"], item["genres"], float(score), float(stars))
