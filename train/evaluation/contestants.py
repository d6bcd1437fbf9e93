"""What is evaluated: the finished models of a run, and fitted baselines, behind one interface."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from ...core.queries.held_out import HeldOut
from ...core.queries.query import Query
from ...core.run_dir import Run
from ..baselines.evaluation import FittedBaseline
from ..export.served_queries import ask_together

if TYPE_CHECKING:
    from ..export.savedmodels import LoadedSignature

# Users int64[b] to float32[b, n_items].
Score: TypeAlias = Callable[[np.ndarray], np.ndarray]
# Users int32[m] and items int32[m] to ratings float32[m], not clipped.
Predict: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Users whose ratings are predicted in one call, and queries that are encoded in one.
_TOGETHER = 64


@dataclass(frozen=True)
class Knowledge:
    """What a model is told of a user besides what they declared.

    Attributes:
        ratings: whether it knows the ratings of the history.
        last: how many items of the history it knows, the newest; None for all.
    """

    ratings: bool = False
    last: int | None = None

    def words(self) -> str:
        """For the log."""
        if self.last == 0:
            return "what they declared"
        history = "their whole history" if self.last is None else f"their last {self.last} items"
        return f"{history} with its ratings" if self.ratings else history


WHOLE, RATED = Knowledge(), Knowledge(ratings=True)
LAST_5, PREFERENCES_ONLY = Knowledge(last=5), Knowledge(last=0)


class Contestant(Protocol):
    """A model that can be evaluated."""

    def score(self, known: Knowledge) -> Score | None:
        """Scores of all items for users of whom that much is known; None where the model cannot be asked so."""
        ...

    @property
    def predict(self) -> Predict | None:
        """Predicts ratings; None where the model predicts none."""
        ...


@dataclass(frozen=True)
class BaselineContestant:
    """A fitted baseline: it knows the users it was fitted on, by their whole histories."""

    fitted: FittedBaseline

    def score(self, known: Knowledge) -> Score | None:
        return self.fitted.fitted.score if known == WHOLE else None

    @property
    def predict(self) -> Predict | None:
        return self.fitted.fitted.predict


@dataclass(frozen=True)
class RunContestant:
    """The finished models of a run, asked through their SavedModels as a server asks them."""

    run: Run

    @cached_property
    def _data(self) -> HeldOut:
        return HeldOut(self.run)

    def _signature(self, name: str) -> "LoadedSignature":
        from ..export.savedmodels import load_signature

        return load_signature(self.run.saved_model(name), "serving_default")

    @cached_property
    def _encoder(self) -> "LoadedSignature":
        return self._signature("query")

    @cached_property
    def _candidates(self) -> np.ndarray:
        return np.load(self.run.trained / "candidates.npy")

    def score(self, known: Knowledge) -> Score | None:
        if known != WHOLE and self.run.record.window is None:
            return None
        if known.ratings and (self._data.is_implicit or "stars" not in self._encoder.specs):
            return None
        return lambda users: self._vectors(users, known) @ self._candidates.T

    def _vectors(self, users: np.ndarray, known: Knowledge) -> np.ndarray:
        """float32[b, d]: queries of users int64[b]."""
        queries = [self._query(int(user), known) for user in users]
        found = []
        for start in range(0, len(queries), _TOGETHER):
            block = queries[start : start + _TOGETHER]
            found += ask_together(self._encoder, block, self._data.catalogue, "query")
        return np.concatenate([vector[:1] for vector in found])

    def _query(self, user: int, known: Knowledge) -> Query:
        query = self._data.query(user)
        kept = slice(0 if known.last is None else max(0, len(query.seen) - known.last), None)
        stars = query.stars[kept] if known.ratings else np.zeros_like(query.stars[kept])
        return replace(query, items=np.zeros(1, np.int32), seen=query.seen[kept], stars=stars)

    @property
    def predict(self) -> Predict | None:
        if self._data.is_implicit or "ranking" not in self.run.record.saved_models:
            return None
        return self._predicted

    def _predicted(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        ranking = self._signature("ranking")
        order = np.argsort(user, kind="stable")
        pairs = np.split(order, np.flatnonzero(np.diff(user[order])) + 1)
        predicted = np.empty(len(user), np.float32)
        for start in range(0, len(pairs), _TOGETHER):
            block = pairs[start : start + _TOGETHER]
            queries = [replace(self._data.query(int(user[rows[0]])), items=item[rows]) for rows in block]
            found = ask_together(ranking, queries, self._data.catalogue, "rating")
            predicted[np.concatenate(block)] = np.concatenate([values.reshape(-1) for values in found])
        return predicted
