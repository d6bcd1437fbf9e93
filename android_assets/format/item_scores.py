"""Retrieval scores of items that a caller chooses, from the models of any layout: what explanations are made of."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...core.queries.query import Query
from ...core.scoring import MASKED_BELOW
from .answers import Models

# Queries whose masks of the catalogue are in memory at once, in bytes of masks.
_MASK_BYTES = 64 << 20

# (models, queries, ids int32[n]) to float64[n_queries, n].
ScoreFunction = Callable[[Models, Sequence[Query], np.ndarray], np.ndarray]


def _by_list(graph: str) -> ScoreFunction:
    """Of a model that returns the k best: every item but those asked about is masked, so that they are its list."""

    def score(models: Models, queries: Sequence[Query], ids: np.ndarray) -> np.ndarray:
        others = np.setdiff1d(np.arange(len(models.allowed(queries[0])), dtype=np.int32), ids)
        inputs = [models.inputs(graph, replace(query, excluded=others)) for query in queries]
        return np.stack([_in_order(one, ids, models.stars_weight) for one in models.run(graph, inputs)])

    return score


def _in_order(output: dict[str, np.ndarray], ids: np.ndarray, stars_weight: float) -> np.ndarray:
    """float64[n]: the retrieval scores of `ids` out of a list, which may be ordered by predicted ratings too."""
    kept = output["scores"] > MASKED_BELOW
    scores = output["scores"][kept].astype(np.float64)
    if "rating" in output:
        scores -= stars_weight * output["rating"][kept]
    found = dict(zip(output["ids"][kept].tolist(), scores, strict=True))
    return np.array([found[item] for item in ids.tolist()])


def _by_vector(models: Models, queries: Sequence[Query], ids: np.ndarray) -> np.ndarray:
    rows, scale = models.candidates()
    vectors = np.concatenate([rows[item : item + 1] for item in ids.tolist()]).astype(np.float64)
    outputs = models.run("query_encoder", [models.inputs("query_encoder", query) for query in queries])
    found = np.stack([output["query"].reshape(-1) for output in outputs]).astype(np.float64)
    return (found @ vectors.T) * (1.0 if scale is None else scale)


# By the graph that retrieves.
SCORES: dict[str, ScoreFunction] = {
    "recommender": _by_list("recommender"),
    "retriever": _by_list("retriever"),
    "query_encoder": _by_vector,
}


def score_items(models: Models, graph: str, queries: Sequence[Query], ids: np.ndarray) -> np.ndarray:
    """float64[n_queries, n]: retrieval scores of the items `ids` int32[n], of which there are at most k.

    Args:
        graph: a key of `SCORES`.

    Raises:
        CheckFailed: a model does not run.
    """
    if not queries or not len(ids):
        return np.zeros((len(queries), len(ids)))
    step = max(1, _MASK_BYTES // max(1, len(models.allowed(queries[0]))))
    parts = [SCORES[graph](models, queries[at : at + step], ids) for at in range(0, len(queries), step)]
    return np.concatenate(parts)
