"""The trained pocket models as an app and a server will have them: what they predict, their SavedModels and their quality."""

from functools import partial

import numpy as np

from ...core.metrics import retrieval_quality, rmse
from ...core.queries.histories import Histories
from ...core.records.record import Json
from ..data.history_windows import history_windows
from ..data.item_content import declared_preferences
from ..data.ratings import Ratings, histories
from ..export.retrieval_indexes import index_exports
from ..export.savedmodels import Export
from ..linear.history_weights import liked_rows
from ..tf import tf
from .query_models import QueryModel, RetrievalRanker
from .serving_models import PocketCandidate, PocketRanker

Tables = dict[str, np.ndarray]


class RatingPredictor:
    """Predicts ratings of many pairs with the exported ranker."""

    def __init__(self, ranker: PocketRanker | RetrievalRanker, n_items: int, window: int) -> None:
        self.n_items, self.window = n_items, window
        self._rate = tf.function(ranker.rate)

    def predict(self, seen: Histories, declared: np.ndarray, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Predict pairs, each user's from their window of `seen`.

        Args:
            declared: float32[n_users, n_preferences] indicators.
            user, item: int32[n].

        Returns:
            float32[n], not clipped.
        """
        order = np.argsort(user, kind="stable")
        predicted = np.empty(len(user), np.float32)
        for rows in np.split(order, np.flatnonzero(np.diff(user[order])) + 1):
            history, ratings = history_windows(seen, user[rows[:1]], self.n_items, self.window)
            predicted[rows] = self._rate(history, ratings, declared[user[rows[:1]]], item[rows][None])[0].numpy()
        return predicted


class Models:
    """Ranker, query and candidates made from folded tables; without a ranker, for implicit data, the retriever ranks."""

    def __init__(
        self,
        ratings: Ratings,
        preferences: list[str],
        window: int,
        ranking: Tables | None,
        retrieval: Tables,
        query_model: type[QueryModel],
    ) -> None:
        known = ratings.items, preferences, window
        self.ratings, self.window = ratings, window
        self.candidates = retrieval["candidate"]
        self.query = query_model(retrieval, *known)
        self.ranker = PocketRanker(ranking, *known) if ranking else RetrievalRanker(self.query, self.candidates, *known)
        self.candidate = PocketCandidate(self.candidates, ratings.items)
        self.predictor = RatingPredictor(self.ranker, len(ratings.items), window)
        self._encode = tf.function(self.query.encode)

    def score(self, seen: Histories, declared: np.ndarray, users: np.ndarray, *, rated: bool = False) -> np.ndarray:
        """float32[b, n_items]: every item's retrieval score for `users` int64[b]; with `rated` their ratings are known too."""
        history, ratings = history_windows(seen, users, len(self.ratings.items), self.window)
        stars = ratings if rated and not self.ratings.is_implicit else np.zeros_like(ratings)
        return self._encode(history, stars, declared[users]).numpy() @ self.candidates.T

    def exports(self, seen: Histories, test: Ratings) -> tuple[dict[str, Export], Json]:
        """SavedModels by name, with a few held-out users as probes; and the configuration of ScaNN."""
        users = np.unique(test.user)[:8]
        query, ratings, items = self._probes(seen, users)
        pairs = query | {"candidates": np.tile(items, (len(users), 1))}
        stars = {"stars": np.zeros_like(ratings) if self.ratings.is_implicit else ratings}
        query |= stars if self.query.takes_ratings else {}
        pairs |= query | ({} if self.ratings.is_implicit else stars)
        made = {
            "ranking": Export(self.ranker, self.ranker.signatures(), pairs),
            "query": Export(self.query, self.query.signatures(), query),
            "candidate": Export(self.candidate, self.candidate.signatures(), {"item": items}),
        }
        indexes, scann = index_exports(self.query, self.candidates, self.ratings.items, query, self.query.specs())
        return made | indexes, scann

    def _probes(self, seen: Histories, users: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Inputs of the query as strings, the ratings of its history, and some items."""
        tokens = np.array([*[item.encode() for item in self.ratings.items], b""], object)
        history, ratings = history_windows(seen, users, len(self.ratings.items), self.window)
        preferences = declared_preferences(self.ratings)
        width = max(1, max((len(row) for row in preferences), default=1))
        declared = [[t.encode() for t in preferences[u]] + [b""] * (width - len(preferences[u])) for u in users]
        query = {"watched": tokens[history], "declared": np.array(declared, object)}
        return query, ratings, tokens[: min(50, len(tokens) - 1)]


def evaluate(models: Models, train: Ratings, test: Ratings, declared: np.ndarray) -> dict[str, dict[str, float | None]]:
    """RMSE of clipped predictions and retrieval quality, both with the exported models' window.

    Args:
        declared: float32[n_users, n_preferences] indicators.
    """
    seen = histories(train)
    found: dict[str, dict[str, float | None]] = {
        "retrieval": {**retrieval_quality(lambda users: models.score(seen, declared, users), seen, histories(test))}
    }
    if train.is_implicit:
        return {"ranking": {"rmse": None}, **found}
    found |= _with_ratings(models, seen, train, test, declared)
    predicted = models.predictor.predict(seen, declared, test.user, test.item)
    clipped = np.clip(predicted, train.rating.min(), train.rating.max())
    return {"ranking": {"rmse": rmse(clipped, test.rating)}, **found}


def _with_ratings(
    models: Models, seen: Histories, train: Ratings, test: Ratings, declared: np.ndarray
) -> dict[str, dict[str, float | None]]:
    """Retrieval by histories with their ratings: of everything held out, and of what was liked of it, with ratings known and
    not."""
    liked = test.take(liked_rows(train.rating, test.rating))
    rows = {"retrieval_rated": (test, True), "retrieval_liked": (liked, False), "retrieval_liked_rated": (liked, True)}
    return {
        name: {**retrieval_quality(partial(models.score, seen, declared, rated=rated), seen, histories(part))}
        for name, (part, rated) in rows.items()
        if len(part)
    }
