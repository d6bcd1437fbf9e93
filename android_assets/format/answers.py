"""How the models of a bundle answer queries: one function per layout; many queries at once, so that each model runs once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ...core.queries.query import Query
from ...core.scoring import MASKED_BELOW
from .candidates import StoredRows, search

# Arrays by name, of one query.
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class TopK:
    """An answer: ids int32[n] and scores float32[n], best first, and predicted ratings float32[n]; None without a ranker."""

    ids: np.ndarray
    scores: np.ndarray
    ratings: np.ndarray | None = None

    def first(self, n: int) -> "TopK":
        """The best `n`."""
        return TopK(self.ids[:n], self.scores[:n], None if self.ratings is None else self.ratings[:n])


class Models(Protocol):
    """What an answer function may use of an open bundle."""

    def inputs(self, graph: str, query: Query) -> Arrays:
        """A model's inputs for one query."""
        ...

    def run(self, graph: str, inputs: Sequence[Arrays]) -> list[Arrays]:
        """A model's outputs for each of several inputs."""
        ...

    def candidates(self) -> tuple[StoredRows, float | None]:
        """The stored catalogue, and its scale."""
        ...

    def allowed(self, query: Query) -> np.ndarray:
        """bool[n_items]: items of the wanted genres that were neither seen nor excluded."""
        ...

    @property
    def k(self) -> int:
        """Length of a list."""
        ...

    @property
    def stars_weight(self) -> float:
        """Weight of a predicted rating in the final score."""
        ...


AnswerFunction = Callable[[Models, Sequence[Query]], list[TopK]]


def by_recommender(models: Models, queries: Sequence[Query]) -> list[TopK]:
    """One model retrieves and ranks."""
    outputs = models.run("recommender", [models.inputs("recommender", query) for query in queries])
    kept = [one["scores"] > MASKED_BELOW for one in outputs]
    return [
        TopK(one["ids"][mask], one["scores"][mask], one["rating"][mask])
        for one, mask in zip(outputs, kept, strict=True)
    ]


def by_retriever_and_ranker(models: Models, queries: Sequence[Query]) -> list[TopK]:
    """One model retrieves, another one predicts ratings, which are added to the scores with their weight."""
    outputs = models.run("retriever", [models.inputs("retriever", query) for query in queries])
    kept = [one["scores"] > MASKED_BELOW for one in outputs]
    lists = [TopK(one["ids"][mask], one["scores"][mask]) for one, mask in zip(outputs, kept, strict=True)]
    return reranked(models, queries, lists)


def by_encoder_and_search(models: Models, queries: Sequence[Query]) -> list[TopK]:
    """One model encodes the query; the stored catalogue is searched with its vector."""
    rows, scale = models.candidates()
    outputs = models.run("query_encoder", [models.inputs("query_encoder", query) for query in queries])
    return [
        TopK(*search(output["query"].reshape(-1), rows, scale, models.allowed(query), models.k))
        for query, output in zip(queries, outputs, strict=True)
    ]


def reranked(models: Models, queries: Sequence[Query], lists: Sequence[TopK]) -> list[TopK]:
    """Lists with the ranker's ratings, ordered by score + weight · rating."""
    inputs = [models.inputs("ranker", replace(query, items=one.ids)) for query, one in zip(queries, lists, strict=True)]
    rated = iter(models.run("ranker", [one for one, found in zip(inputs, lists, strict=True) if len(found.ids)]))
    answers = []
    for one in lists:
        ratings = next(rated)["rating"] if len(one.ids) else np.empty(0, np.float32)
        scores = one.scores + np.float32(models.stars_weight) * ratings
        order = np.argsort(-scores, kind="stable")
        answers.append(TopK(one.ids[order], scores[order], ratings[order]))
    return answers
