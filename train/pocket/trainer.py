"""The `pocket` preset: recommenders that know no user id, from a history and declared preferences."""

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ...core.metrics import retrieval_quality, rmse
from ...core.queries.histories import Histories
from ..data.item_content import declared_preferences, favourite_genres, indicators, item_content, preference_vocabulary
from ..data.ratings import Ratings, histories
from ..export.retrieval_indexes import index_exports
from ..export.savedmodels import Export
from ..tf import tf
from .content_vectors import ContentTable
from .fit import carve, fit
from .ranker import PocketRanking, RankingSettings
from .retriever import PocketRetrieval, RetrievalSettings
from .serving_models import PocketCandidate, PocketQuery, PocketRanker, PocketScorer

# Films of the query; 200 keeps .8934 of .8921 RMSE (100: .901, 50: .913), see decision 18.
WINDOW = 200
# With `random`, what is held out lies between the history's events; otherwise it comes after them (RetrievalSettings.causal).
CAUSAL = {"random": 0.0, "temporal": 0.5, "leave-last-out": 0.5}


def train_pocket(
    train: Ratings, test: Ratings, *, seed: int, split: str, window: int = WINDOW, **unused: Any
) -> dict[str, Any]:
    """Train ranker and retriever on `train` only; `test` is evaluated on, and chooses nothing.

    Returns:
        As `train_tutorial`: exports, candidates, metrics, scann, seconds; and `content` (a `ContentTable`), `preferences`
        (vocabulary), `window`, `curves`, `settings`.
    """
    vocabulary = preference_vocabulary(train)
    content, seen = item_content(train), histories(train)
    declared = indicators(declared_preferences(train), vocabulary)
    favourites = favourite_genres(train, seen)
    with_genres = [a + b for a, b in zip(declared_preferences(train), favourites, strict=True)]
    fitted, watched = carve(len(train), seed)
    started = time.monotonic()
    ranking_settings = RankingSettings()
    ranking = None if train.is_implicit else PocketRanking(train, content, declared, ranking_settings, seed)
    ranking_curve = fit(ranking, fitted, watched, ranking_settings, seed=seed) if ranking else []
    ranking_s, started = time.monotonic() - started, time.monotonic()
    retrieval_settings = replace(RetrievalSettings(), causal=CAUSAL[split])
    retrieval = PocketRetrieval(
        seen, len(train.items), content, indicators(with_genres, vocabulary), retrieval_settings, window, seed
    )
    retrieval_curve = fit(retrieval, fitted, watched, retrieval_settings, seed=seed)
    retrieval_s = time.monotonic() - started
    tables = retrieval.folded()
    models = Models(train, vocabulary, window, ranking and ranking.folded(), tables)
    exports, scann = models.exports(seen, test)
    return {
        "exports": exports,
        "candidates": models.candidates,
        "content": ContentTable(content.tokens, tables["content"], float(tables["unrated"])),
        "metrics": evaluate(models, train, test, declared.dense()),
        "scann": scann,
        "preferences": vocabulary,
        "window": window,
        "curves": {"ranking": ranking_curve, "retrieval": retrieval_curve},
        "settings": {"ranking": asdict(ranking_settings), "retrieval": asdict(retrieval_settings)},
        "seconds": {"ranking": ranking_s, "retrieval": retrieval_s},
    }


class Models:
    """The trained models as an app and a server will have them."""

    def __init__(
        self,
        ratings: Ratings,
        preferences: list[str],
        window: int,
        ranking: dict[str, np.ndarray] | None,
        retrieval: dict[str, np.ndarray] | None,
    ) -> None:
        self.ratings, self.preferences, self.window = ratings, preferences, window
        self.ranker: Any = None
        if ranking is not None:
            self.ranker = PocketRanker(ranking, ratings.items, preferences, window)
        if retrieval is not None:
            self.candidates = retrieval["candidate"]
            self.ranker = self.ranker or PocketScorer(retrieval, ratings.items, preferences, window)
            self.query = PocketQuery(retrieval, ratings.items, preferences, window)
            self.candidate = PocketCandidate(self.candidates, ratings.items)
            self.encode = tf.function(self.query._encode)
        self.rate = tf.function(self.ranker._rate)

    def windows(self, seen: Histories, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """History int32[b, window] and stars float32[b, window] of users, newest last, unused places in front."""
        history = np.full((len(users), self.window), len(self.ratings.items), np.int32)
        stars = np.zeros((len(users), self.window), np.float32)
        for row, user in enumerate(users):
            items = seen.items_of(user)[-self.window :]
            history[row, self.window - len(items) :] = items
            stars[row, self.window - len(items) :] = seen.ratings_of(user)[-self.window :]
        return history, stars

    def predict(self, seen: Histories, declared: np.ndarray, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32[n] ratings of pairs, each user's from their window of `seen`."""
        order = np.argsort(user, kind="stable")
        predicted = np.empty(len(user), np.float32)
        for rows in np.split(order, np.flatnonzero(np.diff(user[order])) + 1):
            history, stars = self.windows(seen, user[rows[:1]])
            predicted[rows] = self.rate(history, stars, declared[user[rows[:1]]], item[rows][None])[0].numpy()
        return predicted

    def score(self, seen: Histories, declared: np.ndarray, users: np.ndarray) -> np.ndarray:
        """float32[b, n_items]: every item's retrieval score."""
        return self.encode(self.windows(seen, users)[0], declared[users]).numpy() @ self.candidates.T

    def exports(self, seen: Histories, test: Ratings) -> tuple[dict[str, Export], dict[str, Any]]:
        """What is saved, with a few held-out users as probes; and how ScaNN is set up."""
        tokens = np.array([*[item.encode() for item in self.ratings.items], b""], object)
        users = np.unique(test.user)[:8]
        history, stars = self.windows(seen, users)
        preferences = declared_preferences(self.ratings)
        width = max(1, max((len(row) for row in preferences), default=1))
        declared = np.array(
            [[t.encode() for t in preferences[u]] + [b""] * (width - len(preferences[u])) for u in users], object
        )
        who = {"watched": tokens[history], "declared": declared}
        some = np.tile(tokens[: min(50, len(tokens) - 1)], (len(users), 1))
        some_candidates = {"candidates": some} | ({} if self.ratings.is_implicit else {"stars": stars})
        made = {
            "ranking": Export(self.ranker, self.ranker.signatures(), who | some_candidates),
            "query": Export(self.query, self.query.signatures(), who),
            "candidate": Export(self.candidate, self.candidate.signatures(), {"item": some[0]}),
        }
        indexes, scann = index_exports(self.query, self.candidates, self.ratings.items, who, self.query.specs())
        return made | indexes, scann


def evaluate(models: Models, train: Ratings, test: Ratings, declared: np.ndarray) -> dict[str, Any]:
    """RMSE of clipped predictions and retrieval quality, both with the exported models' window."""
    seen = histories(train)
    quality = retrieval_quality(lambda users: models.score(seen, declared, users), seen, histories(test))
    if train.is_implicit:
        return {"ranking": {"rmse": None}, "retrieval": quality}
    predicted = models.predict(seen, declared, test.user, test.item)
    clipped = np.clip(predicted, train.rating.min(), train.rating.max())
    return {"ranking": {"rmse": rmse(clipped, test.rating)}, "retrieval": quality}
