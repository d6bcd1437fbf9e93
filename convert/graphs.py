"""The graphs: what a model computes, and which trained SavedModels it is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..core.errors import InputError
from ..core.run_dir import Run
from ..core.scoring import MASKED, STARS_WEIGHT
from .retrieval.genre_sets import genre_sets

# TensorFlow's objects: tensors, TensorSpecs, modules and concrete functions.
TfObject: TypeAlias = Any


@dataclass(frozen=True)
class Options:
    """Options of graphs: `k`, the number of results of a retriever."""

    k: int


# (run, options) to (module, concrete function); imports TensorFlow when called.
Build: TypeAlias = Callable[[Run, Options], tuple[TfObject, TfObject]]


@dataclass(frozen=True)
class Graph:
    """A kind of model.

    Attributes:
        summary: one line for people.
        saved_models: trained SavedModels it is made of; their hashes are the variant's source.
        build: (run, options) to (module, concrete function); imports TensorFlow when called.
        exported_as: the SavedModel whose own signature is this graph already; '' where the kit exports one to compare converters.
        batch_sizes: numbers of items per call that latency is measured with, the usual one first; 1 is one query per call.
    """

    summary: str
    saved_models: tuple[str, ...]
    build: Build
    exported_as: str = ""
    batch_sizes: tuple[int, ...] = (1,)


def _signature_of(saved_model: str, signature: str) -> Build:
    def build(run: Run, options: Options) -> tuple[TfObject, TfObject]:
        from ..train.export.savedmodels import load_signature

        loaded = load_signature(run.saved_model(saved_model), signature)
        return loaded.owner, loaded.function

    return build


class _Retrieval:
    """Scoring the whole catalogue with one query, and taking the best."""

    def __init__(self, run: Run, options: Options) -> None:
        from ..train.export.savedmodels import load_signature

        candidates = np.load(run.trained / "candidates.npy")
        self.n_items, self.k = len(candidates), options.k
        if not 1 <= self.k <= self.n_items:
            raise InputError(
                "--k",
                expected=f"1 to {self.n_items}, the size of the catalogue",
                given=self.k,
                do="choose a smaller k",
                code="VALUE_OUT_OF_RANGE",
            )
        # With the row of the unknown id this is the table that a history encoder looks items up in, so it is stored once.
        self.table = np.concatenate([candidates, np.zeros_like(candidates[:1])])
        self.encoder = load_signature(run.saved_model("query"), "query_encoder")
        self.sets = genre_sets(run)

    def specs(self) -> dict[str, TfObject]:
        """Inputs by name: the encoder's, `seen`, and `genres` where items have any."""
        from ..train.tf import tf

        specs = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in self.encoder.specs.items()}
        specs["seen"] = tf.TensorSpec([self.n_items], tf.bool, "seen")
        if self.sets is not None:
            specs["genres"] = tf.TensorSpec([self.sets[0].shape[1]], tf.float32, "genres")
        return specs

    def best(self, inputs: dict[str, TfObject]) -> tuple[TfObject, TfObject]:
        """Scores float32[k] and ids int32[k], best first; masked items score `MASKED`, or close to it where genres mask them."""
        from ..train.tf import tf

        query = self.encoder.function(**{name: inputs[name] for name in self.encoder.specs})["query"]
        scores = tf.reshape(tf.matmul(query, tf.constant(self.table), transpose_b=True), [-1])[: self.n_items]
        if self.sets is not None:
            scores += self._penalty(inputs["genres"])
        return tf.math.top_k(tf.where(inputs["seen"], MASKED, scores), self.k)

    def _penalty(self, genres: TfObject) -> TfObject:
        """float32[n_items]: `MASKED` for an item that has none of the requested genres, else 0; without a request 0 for all.

        Adding it takes 3 us less at 1,682 items than comparing and joining masks: those operators are never delegated.
        """
        from ..train.tf import tf

        assert self.sets is not None
        marks, set_of = self.sets
        # Positive only where genres are requested and the set has none of them: one genre of its own outweighs all the others.
        weights = tf.constant(1.0 - 2.0 * marks.shape[1] * marks)
        counted = tf.reshape(tf.matmul(tf.reshape(genres, [1, -1]), weights, transpose_b=True), [-1])
        return tf.gather(tf.where(counted > 0.5, MASKED, 0.0), tf.constant(set_of))


def _retriever(run: Run, options: Options) -> tuple[TfObject, TfObject]:
    from ..train.tf import tf

    retrieval = _Retrieval(run, options)

    def retrieve(**inputs: TfObject) -> dict[str, TfObject]:
        scores, ids = retrieval.best(inputs)
        return {"ids": ids, "scores": scores}

    module = tf.Module()
    module.encoder, module.retrieve = retrieval.encoder.owner, tf.function(retrieve)
    return module, module.retrieve.get_concrete_function(**retrieval.specs())


def _recommender(run: Run, options: Options) -> tuple[TfObject, TfObject]:
    from ..train.export.savedmodels import load_signature
    from ..train.tf import tf

    retrieval, ranker = _Retrieval(run, options), load_signature(run.saved_model("ranking"), "ranker")
    specs = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in ranker.specs.items() if name != "items"
    }

    def recommend(**inputs: TfObject) -> dict[str, TfObject]:
        scores, ids = retrieval.best(inputs)
        rating = ranker.function(**{name: inputs[name] for name in specs}, items=ids)["rating"]
        final, order = tf.math.top_k(scores + STARS_WEIGHT * rating, retrieval.k)
        return {"ids": tf.gather(ids, order), "rating": tf.gather(rating, order), "scores": final}

    module = tf.Module()
    module.encoder, module.ranker, module.recommend = retrieval.encoder.owner, ranker.owner, tf.function(recommend)
    return module, module.recommend.get_concrete_function(**specs | retrieval.specs())


GRAPHS = {
    "ranker_strings": Graph(
        "user_id and movie_title as text to a rating, as in TFRS' tutorial",
        ("ranking",),
        _signature_of("ranking", "ranker_strings"),
        exported_as="ranking",
        batch_sizes=(1, 10, 100),  # the tutorial's app scores one pair
    ),
    "ranker": Graph(
        "predicted ratings of n items for one query",
        ("ranking",),
        _signature_of("ranking", "ranker"),
        batch_sizes=(100, 1, 10),  # ours scores a screenful and more
    ),
    "query_encoder": Graph("a history or user to a query vector", ("query",), _signature_of("query", "query_encoder")),
    "retriever": Graph("the k best items of the catalogue, seen ones masked", ("query", "candidate"), _retriever),
    "recommender": Graph(
        "retriever and ranker in one file: k items ordered by score and predicted rating",
        ("query", "candidate", "ranking"),
        _recommender,
    ),
}
