"""The SavedModel's answers to the held-out queries: computed once in TensorFlow, stored with what they were made from."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..train.artifacts import Run, sha256_bytes, sha256_file, sha256_tree, write_npz
from ..train.errors import InputError
from .queries import Catalogue, HeldOut, Query, feed

_FILE = "reference.npz"


def load_reference(
    run: Run, data: HeldOut, *, refresh: bool = False, say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """The stored answers, or new ones where none are stored or `refresh` is set.

    Returns:
        `rating` flat float32 with `rating.offsets` (one group a query, in the order of its items), `query`
        float32[n_queries, d] and `scores` float32[n_queries, n_items], every item scored, nothing masked; and where the preset
        offers a recommender `catalogue_rating` float32[n_queries, n_items], the stars predicted for every item.

    Raises:
        InputError: stored answers belong to other SavedModels or queries.
    """
    path, made_from = run.reports / _FILE, _made_from(run)
    if path.is_file() and not refresh:
        with np.load(path) as archive:
            stored = {name: archive[name] for name in archive.files}
        if str(stored.pop("made_from")) != json.dumps(made_from):
            raise InputError(
                str(path),
                expected="answers of this run's SavedModels",
                given="answers made from other files",
                do="pass --refresh-reference",
            )
        return stored
    say("asking the SavedModels every held-out query (once; stored)")
    answers = _ask(run, data)
    write_npz(path, **answers, made_from=np.array(json.dumps(made_from)))
    return answers


def reference_sha256(run: Run) -> str:
    """Hex SHA-256 of the stored answers."""
    return sha256_file(run.reports / _FILE)


def _made_from(run: Run) -> dict[str, str]:
    models = {name: sha256_tree(run.saved_model(name)) for name in ("ranking", "query", "candidate")}
    files = sorted((run.trained / "vocabularies").iterdir())
    files += [run.trained / "users.json"] + [run.trained / name for name in ("history.npz", "heldout.npz")]
    return {**models, "queries": sha256_bytes("".join(sha256_file(path) for path in files).encode())}


def _ask(run: Run, data: HeldOut) -> dict[str, np.ndarray]:
    from ..train.savedmodels import load_signature

    ranking, query = (load_signature(run.saved_model(name), "serving_default") for name in ("ranking", "query"))
    ratings = [ask(ranking, one, data.catalogue)["rating"].reshape(-1) for one in data.queries]
    vectors = np.concatenate([ask(query, one, data.catalogue)["query"][:1] for one in data.queries])
    candidate = load_signature(run.saved_model("candidate"), "serving_default")
    (name,) = candidate.specs
    candidates = candidate(**{name: np.array([item.encode() for item in data.items], object)})["candidate"].numpy()
    offsets = np.cumsum([0, *[len(row) for row in ratings]])
    extra = {}
    if "recommender" in run.run_json["graphs"]:
        everything = np.arange(len(data.items), dtype=np.int32)
        stars = [
            ask(ranking, replace(one, items=everything), data.catalogue)["rating"].reshape(-1) for one in data.queries
        ]
        extra["catalogue_rating"] = np.stack(stars)
    return {
        **extra,
        "rating": np.concatenate(ratings),
        "rating.offsets": offsets,
        "query": vectors,
        "scores": vectors @ candidates.T,
    }


def ask(signature: Any, query: Query, names: Catalogue) -> dict[str, np.ndarray]:
    """A served SavedModel's answer to one query, with a batch of one where its inputs have a batch."""
    inputs = {}
    for name, spec in signature.specs.items():
        value = feed(name, query, names, as_served=True)
        value = value.astype(object) if value.dtype.kind == "S" else value
        inputs[name] = value[None] if spec.shape.rank == value.ndim + 1 else value
    return {name: value.numpy() for name, value in signature(**inputs).items()}
