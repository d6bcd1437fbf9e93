"""Recommendations from a run's SavedModels, as a server would make them."""

import json
from dataclasses import replace

import numpy as np

from ..core.metrics import top_k
from ..core.queries.held_out import HeldOut
from ..core.queries.recommendation import Answer, Question, check_top, make_answer
from ..core.run_dir import Run
from ..core.scoring import DEFAULT_K, STARS_WEIGHT
from .export.served_queries import ask


def recommend_from_run(run: Run, question: Question) -> Answer:
    """Retrieve and rank with the SavedModels, as the graphs do."""
    items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
    check_top(question.top, len(items), "the size of the catalogue")
    data = HeldOut(run)
    record = run.record
    asked = question.asked(data.catalogue, items, record.data.rating_range, data.query)
    from .export.savedmodels import load_signature

    asking = replace(asked.query, items=np.zeros(1, np.int32))  # a user-keyed query is asked once for each candidate
    query = ask(load_signature(run.saved_model("query"), "serving_default"), asking, data.catalogue)["query"]
    scores = query[:1] @ np.load(run.trained / "candidates.npy").T
    scores[0, asked.query.seen] = -np.inf
    if wanted := set(asked.query.genres):
        scores[0, [not wanted.intersection(item["genres"]) for item in items]] = -np.inf
    ids = top_k(scores, max(question.top, DEFAULT_K))[0]
    ids = ids[np.isfinite(scores[0, ids])].astype(np.int32)
    ranking = load_signature(run.saved_model("ranking"), "serving_default")
    stars = ask(ranking, replace(asked.query, items=ids), data.catalogue)["rating"].reshape(-1)
    final = scores[0, ids] + (STARS_WEIGHT * stars if "recommender" in record.graphs else 0)
    order = np.argsort(-final, kind="stable")[: question.top]
    return make_answer(items, ids[order], final[order], stars[order], asked.notes)
