"""The graphs: what a model computes, and which trained SavedModels it is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..train.artifacts import Run
from ..train.errors import InputError

DEFAULT_K = 100
# What masked items score, and the bound to tell them by. The converter turns minus infinity into the lowest float32, and
# float16 files cut that to -65504; this value survives both.
MASKED, MASKED_BELOW = -60_000.0, -50_000.0


@dataclass(frozen=True)
class Options:
    """What a graph builder may ask for: `k` results of a retriever, and whether table rows carry their own scale."""

    k: int
    scale_rows: bool


@dataclass(frozen=True)
class Graph:
    """A kind of model.

    Attributes:
        summary: one line for people.
        saved_models: trained SavedModels it is made of; their hashes are the variant's source.
        build: (run, options) to (module, concrete function); imports TensorFlow when called.
    """

    summary: str
    saved_models: tuple[str, ...]
    build: Callable[[Run, Options], tuple[Any, Any]]


def _signature_of(saved_model: str, signature: str) -> Callable[[Run, Options], tuple[Any, Any]]:
    def build(run: Run, options: Options) -> tuple[Any, Any]:
        from ..train.savedmodels import load_signature

        loaded = load_signature(run.saved_model(saved_model), signature)
        return loaded.owner, loaded.function

    return build


def _retriever(run: Run, options: Options) -> tuple[Any, Any]:
    from ..train.savedmodels import load_signature
    from ..train.tf import tf

    candidates = np.load(run.trained / "candidates.npy")
    n_items, k = len(candidates), options.k
    if not 1 <= k <= n_items:
        raise InputError("--k", expected=f"1 to {n_items}, the size of the catalogue", given=k, do="choose a smaller k")
    encode = load_signature(run.saved_model("query"), "query_encoder")
    scales = np.abs(candidates).max(axis=1)
    scales = np.where(scales > 1e-6, scales, np.float32(1))
    floor = tf.constant(MASKED / scales if options.scale_rows else MASKED, tf.float32)

    def retrieve(**inputs: Any) -> dict[str, Any]:
        seen = inputs.pop("seen")
        query = encode.function(**inputs)["query"]
        table = candidates / scales[:, None] if options.scale_rows else candidates
        scores = tf.reshape(tf.matmul(query, tf.constant(table), transpose_b=True), [n_items])
        scores = tf.where(seen, floor, scores)
        if options.scale_rows:
            # Behind the mask: anywhere nearer to the matmul the converter folds it back into the table.
            scores *= tf.constant(scales)
        best, ids = tf.math.top_k(scores, k)
        return {"ids": ids, "scores": best}

    module = tf.Module()
    module.encoder = encode.owner
    module.retrieve = tf.function(retrieve)
    specs = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in encode.specs.items()}
    return module, module.retrieve.get_concrete_function(**specs, seen=tf.TensorSpec([n_items], tf.bool, "seen"))


GRAPHS = {
    "ranker_strings": Graph(
        "the tutorial's: user_id and movie_title strings to rating",
        ("ranking",),
        _signature_of("ranking", "ranker_strings"),
    ),
    "ranker": Graph("predicted stars of n items for one query", ("ranking",), _signature_of("ranking", "ranker")),
    "retriever": Graph("the k best items of the catalogue, seen ones masked", ("query", "candidate"), _retriever),
}
