"""Queries, and how each input of a graph or of a served SavedModel is made from them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..train.errors import InputError

# What a served model is given for an id that is in no vocabulary.
UNKNOWN = "in no vocabulary"


@dataclass(frozen=True)
class Query:
    """One user, and the items the query is about. An id one past a vocabulary stands for whatever is in none.

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


def _encoded(tokens: Iterable[str]) -> np.ndarray:
    return np.array([token.encode() for token in tokens], "S")


def _token(tokens: Sequence[str], index: int) -> str:
    return tokens[index] if 0 <= index < len(tokens) else UNKNOWN


def _titles(items: Iterable[int], names: Catalogue) -> np.ndarray:
    return _encoded(_token(names.items, int(item)) for item in items)


def _seen_mask(query: Query, names: Catalogue) -> np.ndarray:
    mask = np.zeros(len(names.items), bool)
    mask[query.seen[query.seen < len(names.items)]] = True
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
    return _titles(query.seen, names) if len(query.seen) else _encoded([""])


def _user(query: Query, names: Catalogue) -> np.ndarray:
    return np.array([query.user if query.user >= 0 else len(names.users)], np.int32)


# How each input of a graph or of a served SavedModel is made from a query, by the input's name.
FEEDS: dict[str, Callable[[Query, Catalogue], np.ndarray]] = {
    "user": _user,
    "items": lambda query, names: query.items.astype(np.int32),
    "seen": _seen_mask,
    "history": lambda query, names: _window(query.seen, len(names.items), names, np.int32),
    "preferences": _declared,
    "genres": _genres,
    "user_id": lambda query, names: _encoded([_token(names.users, query.user)] * len(query.items)),
    "movie_title": lambda query, names: _titles(query.items, names),
    "watched": _watched,
    "declared": lambda query, names: _encoded(query.preferences or [""]),
    "candidates": lambda query, names: _titles(query.items, names),
}


def feed(name: str, query: Query, names: Catalogue, *, as_served: bool = False) -> np.ndarray:
    """One input of one query; for a served model `stars` is as long as `watched`, the whole history, for a phone's the window.

    Raises:
        InputError: this kit cannot make such an input from a user.
    """
    if name == "stars":
        if as_served:
            return query.stars.astype(np.float32) if len(query.stars) else np.zeros(1, np.float32)
        return _window(query.stars, 0.0, names, np.float32)
    if name not in FEEDS:
        raise InputError("input", expected=f"one of {', '.join(FEEDS)}", given=repr(name), do="pass --inputs FILE.npz")
    return FEEDS[name](query, names)


def feeds_for(names: Iterable[str], queries: Sequence[Query], catalogue: Catalogue) -> dict[str, np.ndarray]:
    """Inputs of queries as arrays for a worker, by name."""
    return packed({name: [feed(name, query, catalogue) for query in queries] for name in names})


def packed(rows_by_name: Mapping[str, Sequence[np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays for a worker from one a query: a row a query where all are alike, else flat with `.offsets`."""
    arrays: dict[str, np.ndarray] = {}
    for name, rows in rows_by_name.items():
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


def part(arrays: Mapping[str, np.ndarray], start: int, stop: int | None = None) -> dict[str, np.ndarray]:
    """The same arrays (see `feeds_for`) of some of the queries."""
    found: dict[str, np.ndarray] = {}
    for name in (name for name in arrays if not name.endswith(".offsets")):
        offsets = arrays.get(f"{name}.offsets")
        if offsets is None:
            found[name] = arrays[name][start:stop]
            continue
        kept = offsets[start : None if stop is None else stop + 1]
        found[name], found[f"{name}.offsets"] = arrays[name][kept[0] : kept[-1]], kept - kept[0]
    return found
