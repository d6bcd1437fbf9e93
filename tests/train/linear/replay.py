"""Asking the query model of a run about what its users held out, with their dislikes as dislikes, dropped, or as likes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pocketrec.core.metrics import hits_among, ndcg_of_hits, recall_of_hits, top_k
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.records.history_weights import HistoryWeights
from pocketrec.core.run_dir import Run
from pocketrec.train.export.savedmodels import load_signature


class QueryModel:
    """The query SavedModel of a run, and its candidates."""

    def __init__(self, run: Path) -> None:
        self.run, self.data = Run(run), HeldOut(Run(run))
        weights = self.run.history_weights
        assert weights is not None
        self.weights: HistoryWeights = weights
        self.candidates = np.load(self.run.trained / "candidates.npy")
        self.n_items = len(self.candidates)
        self._tokens = np.array([*(item.encode() for item in self.data.items), b""], object)
        self._signature = load_signature(self.run.saved_model("query"), "serving_default")

    def scores(self, histories: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """float32[n, n_items] of histories, each items int32[m] and ratings float32[m]."""
        window = self.data.catalogue.window
        watched = np.full((len(histories), window), self.n_items)
        stars = np.zeros((len(histories), window), np.float32)
        for row, (items, ratings) in enumerate(histories):
            kept = items[-window:]
            watched[row, window - len(kept) :], stars[row, window - len(kept) :] = kept, ratings[-window:]
        declared = np.full((len(histories), 1), b"", object)
        query = self._signature(watched=self._tokens[watched], stars=stars, declared=declared)["query"]
        return query.numpy() @ self.candidates.T


@dataclass(frozen=True)
class Replay:
    """Means over held-out users with a dislike in their history.

    Attributes:
        users: how many.
        recall_at_10, recall_at_100, ndcg_at_10: of what was held out and not disliked.
        disliked_at_10, disliked_at_100: share of what was held out and disliked that is in the list.
    """

    users: int
    recall_at_10: float
    recall_at_100: float
    ndcg_at_10: float
    disliked_at_10: float
    disliked_at_100: float


def replay(model: QueryModel, dislikes: str) -> Replay:
    """Ask for every user with a dislike in their history.

    Args:
        dislikes: `kept` as dislikes, `dropped` from the history, or `liked`: counted as what was used and not rated.
    """
    seen, truth, is_dislike = model.data.history, model.data.truth, model.weights.is_dislike
    held_out = np.flatnonzero(np.diff(truth.offsets))
    users = [int(user) for user in held_out if is_dislike(seen.ratings_of(user)).any()]
    histories = [_history(seen.items_of(user), seen.ratings_of(user), dislikes, is_dislike) for user in users]
    scores = np.concatenate([model.scores(histories[at : at + 200]) for at in range(0, len(users), 200)])
    liked, disliked = np.zeros((2, *scores.shape), bool)
    for row, user in enumerate(users):
        scores[row, seen.items_of(user)] = -np.inf
        items, refused = truth.items_of(user), is_dislike(truth.ratings_of(user))
        liked[row, items[~refused]], disliked[row, items[refused]] = True, True
    ids, some = top_k(scores, 100), liked.any(axis=1)
    hits, n = hits_among(ids, liked)[some], liked.sum(axis=1)[some]
    bad = hits_among(ids, disliked)
    quality = recall_of_hits(hits, n, 10), recall_of_hits(hits, n, 100), ndcg_of_hits(hits, n, 10)
    shares = (bad[:, :k].sum() / disliked.sum() for k in (10, 100))
    return Replay(len(users), *(float(values.mean()) for values in quality), *map(float, shares))


def _history(items, ratings, dislikes, is_dislike):
    refused = is_dislike(ratings)
    if dislikes == "dropped":
        return items[~refused], np.zeros(int((~refused).sum()), np.float32)
    stars = np.where(refused, ratings, 0).astype(np.float32)
    return items, stars if dislikes == "kept" else np.zeros_like(stars)


def ranks(scores: np.ndarray, without: list[int]) -> np.ndarray:
    """float64[n_items]: the place of each item in a list, from 0; `without` are at its end."""
    scores = scores.copy()
    scores[without] = -np.inf
    places = np.empty(len(scores))
    places[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return places
