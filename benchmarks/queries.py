"""The queries that variants are asked: held-out users with what they really rated, never random ids."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ..train.artifacts import Run
from ..train.data import Histories, group_events
from ..train.errors import InputError
from ..train.stage import read_vocabulary


@dataclass(frozen=True)
class Query:
    """One user, and the items the query is about.

    Attributes:
        user: index in the user vocabulary; -1 for somebody who is in none.
        items: int32[n], candidates: for held-out users what they rated later, oldest first.
        ratings: float32[n], what the user gave them.
        seen: int32[m], items of the history, oldest first.
        stars: float32[m], what the user gave those; 0 where they gave nothing.
        preferences: declared tokens.
        genres: genres the answer is narrowed to; all items when empty.
    """

    user: int
    items: np.ndarray
    ratings: np.ndarray
    seen: np.ndarray
    stars: np.ndarray
    preferences: Sequence[str] = ()
    genres: Sequence[str] = ()


# Histories to measure activations on: so many, fewer where every one of them scores a large catalogue (400 MB of scores at most).
REPRESENTATIVE, LEAST_REPRESENTATIVE, MOST_SCORES = 1000, 50, 100_000_000
VOCABULARIES = ("items", "users", "preferences", "genres")


@dataclass(frozen=True)
class Catalogue:
    """What ids mean: vocabularies by name, and the window of a history.

    Attributes:
        items, users, preferences, genres: tokens in id order; empty where the models have no such input.
        window: places of a history; 0 where there is none.
    """

    items: list[str]
    users: list[str]
    preferences: list[str]
    genres: list[str]
    window: int


@dataclass(frozen=True)
class HeldOut:
    """Everything a run holds out, by user."""

    run: Run

    @cached_property
    def catalogue(self) -> Catalogue:
        folder = self.run.trained / "vocabularies"
        tokens = {name: _tokens(folder / f"{name}.txt") for name in VOCABULARIES}
        return Catalogue(**tokens, window=self.run.run_json["window"] or 0)

    @property
    def items(self) -> list[str]:
        return self.catalogue.items

    @property
    def users(self) -> list[str]:
        return self.catalogue.users

    @cached_property
    def preferences(self) -> list[list[str]]:
        rows: list[dict[str, Any]] = json.loads((self.run.trained / "users.json").read_text(encoding="utf-8"))
        return [row["preferences"] for row in rows]

    def _grouped(self, name: str) -> Histories:
        with np.load(self.run.trained / f"{name}.npz") as archive:
            user, item, rating, when = (archive[key] for key in ("user", "item", "rating", "timestamp"))
        return group_events(user, item, rating, when, len(self.users))

    @cached_property
    def history(self) -> Histories:
        return self._grouped("history")

    @cached_property
    def truth(self) -> Histories:
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
        """One query for every user with something held out."""
        return [self.query(int(user)) for user in np.flatnonzero(np.diff(self.truth.offsets) > 0)]

    @cached_property
    def _feeds(self) -> dict[tuple[str, ...], dict[str, np.ndarray]]:
        return {}

    def feeds(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Inputs of all queries for a worker (see `feeds_for`), made once for all files that take the same."""
        wanted = tuple(names)
        if wanted not in self._feeds:
            self._feeds[wanted] = feeds_for(wanted, self.queries, self.catalogue)
        return self._feeds[wanted]

    @cached_property
    def representative(self) -> list[Query]:
        """Queries to measure activations on: users spread over all, asked with their training history about its last fifth.

        Nothing that was held out is in them.
        """
        users = np.flatnonzero(np.diff(self.history.offsets) > 0)
        affordable = max(LEAST_REPRESENTATIVE, min(REPRESENTATIVE, MOST_SCORES // len(self.items)))
        chosen = users[np.linspace(0, len(users) - 1, min(affordable, len(users))).astype(int)]
        return [self._from_training(int(user)) for user in chosen]

    def _from_training(self, user: int) -> Query:
        items, stars = self.history.items_of(user), self.history.ratings_of(user)
        later = slice(len(items) * 4 // 5, None)
        return Query(user, items[later], stars[later], items, stars, self.preferences[user])


def _tokens(path: Any) -> list[str]:
    return read_vocabulary(path) if path.is_file() else []


def _encoded(tokens: Iterable[str]) -> np.ndarray:
    return np.array([token.encode() for token in tokens], "S")


def _seen_mask(query: Query, names: Catalogue) -> np.ndarray:
    mask = np.zeros(len(names.items), bool)
    mask[query.seen] = True
    return mask


def _window(values: np.ndarray, fill: float, names: Catalogue, dtype: Any) -> np.ndarray:
    row = np.full(names.window, fill, dtype)
    kept = values[-names.window :]
    row[names.window - len(kept) :] = kept
    return row


def _declared(query: Query, names: Catalogue) -> np.ndarray:
    return np.isin(names.preferences, list(query.preferences)).astype(np.float32)


def _genres(query: Query, names: Catalogue) -> np.ndarray:
    return np.isin(names.genres, list(query.genres)).astype(np.float32)


def _watched(query: Query, names: Catalogue) -> np.ndarray:
    return _encoded([names.items[item] for item in query.seen[-names.window :]] or [""])


# How each input of a graph or of a served SavedModel is made from a query, by the input's name.
FEEDS: dict[str, Callable[[Query, Catalogue], np.ndarray]] = {
    "user": lambda query, names: np.array([query.user], np.int32),
    "items": lambda query, names: query.items.astype(np.int32),
    "seen": _seen_mask,
    "history": lambda query, names: _window(query.seen, len(names.items), names, np.int32),
    "preferences": _declared,
    "genres": _genres,
    "user_id": lambda query, names: _encoded([names.users[query.user]] * len(query.items)),
    "movie_title": lambda query, names: _encoded(names.items[item] for item in query.items),
    "watched": _watched,
    "declared": lambda query, names: _encoded(query.preferences or [""]),
    "candidates": lambda query, names: _encoded(names.items[item] for item in query.items),
}


def feed(name: str, query: Query, names: Catalogue, *, as_served: bool = False) -> np.ndarray:
    """One input of one query; `stars` is as long as `watched` for a served model and the window for a phone's.

    Raises:
        InputError: this kit cannot make such an input from a user.
    """
    if name == "stars":
        if as_served:
            return query.stars[-names.window :].astype(np.float32) if len(query.stars) else np.zeros(1, np.float32)
        return _window(query.stars, 0.0, names, np.float32)
    if name not in FEEDS:
        raise InputError("input", expected=f"one of {', '.join(FEEDS)}", given=repr(name), do="pass --inputs FILE.npz")
    return FEEDS[name](query, names)


def feeds_for(names: Iterable[str], queries: Sequence[Query], catalogue: Catalogue) -> dict[str, np.ndarray]:
    """Arrays for a worker: one row a query where all are alike, else flat with `.offsets`."""
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        rows = [feed(name, query, catalogue) for query in queries]
        if len({row.shape for row in rows}) == 1:
            arrays[name] = np.stack(rows)
        else:
            arrays[name] = np.concatenate(rows)
            arrays[f"{name}.offsets"] = np.cumsum([0, *[len(row) for row in rows]])
    return arrays


def rows_of(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Undo `feeds_for` for one name: an array a query."""
    offsets = arrays.get(f"{name}.offsets")
    if offsets is None:
        return list(arrays[name])
    return [arrays[name][a:b] for a, b in pairwise(offsets)]
