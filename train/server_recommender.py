"""Recommendations from a run's SavedModels, as a server would make them."""

import json
from dataclasses import replace

import msgspec
import numpy as np

from ..core.metrics import top_k
from ..core.queries.held_out import HeldOut
from ..core.queries.query import Query
from ..core.queries.query_parsing import QueryParser
from ..core.queries.reasons import Explained
from ..core.queries.recommendation import Answer, Request, make_answer
from ..core.records.item import Item
from ..core.run_dir import Run
from ..core.scoring import DEFAULT_K, STARS_WEIGHT
from .export.served_queries import ask


def recommend_from_run(run: Run, request: Request) -> Answer:
    """Retrieve and rank with the SavedModels, as the graphs do; items of the history are left out.

    Args:
        request: of a known user, whose training history is the query, or of a history; `top` is at most the size of the catalogue.

    Raises:
        InputError: a request that cannot be parsed, `top` out of range, or TensorFlow is not installed.
    """
    items = msgspec.convert(json.loads((run.trained / "items.json").read_text(encoding="utf-8")), list[Item])
    request.check_top(len(items), "the size of the catalogue")
    record, data = run.record, HeldOut(run)
    weights = run.history_weights
    parser = QueryParser(
        data.catalogue,
        [item.title for item in items],
        record.data.rating_range,
        reads_dislikes=weights is not None,
    )
    parsed = request.parse(parser, data.query)
    from .export.savedmodels import load_signature

    asked = parsed.query
    encoder, rows = load_signature(run.saved_model("query"), "serving_default"), np.load(run.trained / "candidates.npy")

    def encoded(query: Query) -> np.ndarray:
        single = replace(query, items=np.zeros(1, np.int32))  # a user-keyed query is asked once per candidate
        return ask(encoder, single, data.catalogue)["query"][:1]

    scores = encoded(asked) @ rows.T
    scores[0, asked.seen] = scores[0, asked.excluded] = -np.inf
    if wanted := set(asked.genres):
        scores[0, [not wanted.intersection(item.genres) for item in items]] = -np.inf
    ids = top_k(scores, max(request.top, DEFAULT_K))[0]
    ids = ids[np.isfinite(scores[0, ids])].astype(np.int32)
    if record.data.is_implicit:  # nothing predicts a rating
        return make_answer(items, ids[: request.top], scores[0, ids][: request.top], None, parsed.notes)
    ranking = load_signature(run.saved_model("ranking"), "serving_default")
    ratings = ask(ranking, replace(asked, items=ids), data.catalogue)["rating"].reshape(-1)
    final = scores[0, ids] + (STARS_WEIGHT * ratings if "recommender" in record.graphs else 0)
    order = np.argsort(-final, kind="stable")[: request.top]
    ids, final, ratings = ids[order], final[order], ratings[order]
    reasons = None
    if request.why:
        found = Explained(asked, data.catalogue.window, len(items), scores[0, ids].astype(float), final.astype(float))
        reasons = found.reasons(lambda asked: np.concatenate([encoded(one) for one in asked]) @ rows[ids].T, weights)
    return make_answer(items, ids, final, ratings, parsed.notes, reasons)
