"""The queries that variants answer: held-out users with what they really rated, never random ids."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..files.vocabulary_files import read_vocabulary
from ..run_dir import Run
from .edge_cases import edge_queries
from .histories import Histories, group_events
from .model_inputs import feeds_for
from .query import Catalogue, Query

# Histories to measure activations on; fewer where each of them scores a large catalogue (400 MB of scores at most).
REPRESENTATIVE, LEAST_REPRESENTATIVE, MOST_SCORES = 1000, 50, 100_000_000
# Held-out users: all of them; fewer, spread evenly, where a score of every item for each would not fit.
MOST_ASKED_SCORES = 100_000_000
VOCABULARIES = ("items", "users", "preferences", "genres")


@dataclass(frozen=True)
class HeldOut:
    """Everything a run holds out, by user."""

    run: Run

    @cached_property
    def catalogue(self) -> Catalogue:
        """What the ids of queries mean."""
        folder = self.run.trained / "vocabularies"
        tokens = {name: _tokens(folder / f"{name}.txt") for name in VOCABULARIES}
        return Catalogue(**tokens, window=self.run.record.window or 0)

    @property
    def is_implicit(self) -> bool:
        """Whether the run has no ratings, only positive interactions."""
        return self.run.record.data.is_implicit

    @property
    def items(self) -> list[str]:
        return self.catalogue.items

    @property
    def users(self) -> list[str]:
        return self.catalogue.users

    @cached_property
    def preferences(self) -> list[list[str]]:
        """Declared preferences of each user, in the order of ids."""
        rows: list[dict[str, list[str]]] = json.loads((self.run.trained / "users.json").read_text(encoding="utf-8"))
        return [row["preferences"] for row in rows]

    def _grouped(self, name: str) -> Histories:
        with np.load(self.run.trained / f"{name}.npz") as archive:
            user, item, rating, when = (archive[key] for key in ("user", "item", "rating", "timestamp"))
        return group_events(user, item, rating, when, len(self.users))

    @cached_property
    def history(self) -> Histories:
        """Training events."""
        return self._grouped("history")

    @cached_property
    def truth(self) -> Histories:
        """Held-out events."""
        return self._grouped("heldout")

    def query(self, user: int) -> Query:
        """The query of a known user."""
        seen, truth = self.history, self.truth
        return Query(
            user,
            truth.items_of(user),
            truth.ratings_of(user),
            seen.items_of(user),
            seen.ratings_of(user),
            self.preferences[user],
        )

    @cached_property
    def queries(self) -> list[Query]:
        """One query for every user with something held out, fewer where `MOST_ASKED_SCORES` says so."""
        users = np.flatnonzero(np.diff(self.truth.offsets) > 0)
        affordable = max(1, MOST_ASKED_SCORES // len(self.items))
        if len(users) > affordable:
            users = users[np.linspace(0, len(users) - 1, affordable).astype(int)]
        return [self.query(int(user)) for user in users]

    @cached_property
    def popularity(self) -> np.ndarray:
        """int64[n_items]: how often each item was rated in training."""
        return np.bincount(self.history.item, minlength=len(self.items))

    @cached_property
    def edges(self) -> dict[str, Query]:
        """Edge cases by name; see edge_cases.py."""
        longest = self.query(int(np.argmax(np.diff(self.history.offsets))))
        median = float(np.median(self.history.rating)) if len(self.history.rating) else 0.0
        return edge_queries(longest, len(self.items), self.catalogue.window, median)

    @cached_property
    def _feeds(self) -> dict[tuple[str, ...], dict[str, np.ndarray]]:
        return {}

    def feeds(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Inputs of all queries and then of all edge cases (see `feeds_for`), made once for all files that take the same."""
        wanted = tuple(names)
        if wanted not in self._feeds:
            self._feeds[wanted] = feeds_for(wanted, [*self.queries, *self.edges.values()], self.catalogue)
        return self._feeds[wanted]

    @cached_property
    def representative(self) -> list[Query]:
        """Queries to measure activations on: users spread evenly, with their training history and its last fifth as candidates, and
        the edge cases, since ranges must also cover new users. Nothing that was held out is in them."""
        users = np.flatnonzero(np.diff(self.history.offsets) > 0)
        affordable = max(LEAST_REPRESENTATIVE, min(REPRESENTATIVE, MOST_SCORES // len(self.items)))
        chosen = users[np.linspace(0, len(users) - 1, min(affordable, len(users))).astype(int)]
        return [*(self._from_training(int(user)) for user in chosen), *self.edges.values()]

    def _from_training(self, user: int) -> Query:
        items, stars = self.history.items_of(user), self.history.ratings_of(user)
        later = slice(len(items) * 4 // 5, None)
        return Query(user, items[later], stars[later], items, stars, self.preferences[user])


def _tokens(path: Path) -> list[str]:
    return read_vocabulary(path) if path.is_file() else []
