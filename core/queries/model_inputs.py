"""How each input of a graph or of a served SavedModel is made from a query."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..errors import InputError
from .packing import packed
from .query import Catalogue, Query

# What a served model is given for an id that is in no vocabulary.
UNKNOWN = "in no vocabulary"


def _encoded(tokens: Iterable[str]) -> np.ndarray:
    return np.array([token.encode() for token in tokens], "S")


def _token(tokens: Sequence[str], index: int) -> str:
    return tokens[index] if 0 <= index < len(tokens) else UNKNOWN


def _titles(items: Iterable[int], names: Catalogue) -> np.ndarray:
    return _encoded(_token(names.items, int(item)) for item in items)


def _seen_mask(query: Query, names: Catalogue) -> np.ndarray:
    mask = np.zeros(len(names.items), bool)
    mask[query.seen[query.seen < len(names.items)]] = True
    mask[query.excluded[query.excluded < len(names.items)]] = True
    return mask


def _window(values: np.ndarray, fill: float, names: Catalogue, dtype: type[np.generic]) -> np.ndarray:
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
    """One input of one query.

    Args:
        name: a key of `FEEDS`, or `stars`.
        query, names: the query, and what its ids mean.
        as_served: whether it is for a served SavedModel, which takes `stars` of the whole history; models on phones take a window.

    Raises:
        InputError: this kit cannot make such an input from a user.
    """
    if name == "stars":
        if as_served:
            return query.stars.astype(np.float32) if len(query.stars) else np.zeros(1, np.float32)
        return _window(query.stars, 0.0, names, np.float32)
    if name not in FEEDS:
        raise InputError(
            "input",
            expected=f"one of {', '.join(FEEDS)}",
            given=repr(name),
            do="pass --inputs FILE.npz",
            code="MODEL_UNSUPPORTED",
        )
    return FEEDS[name](query, names)


def feeds_for(names: Iterable[str], queries: Sequence[Query], catalogue: Catalogue) -> dict[str, np.ndarray]:
    """Inputs of queries by name, packed as workers read them (see packing.py)."""
    return packed({name: [feed(name, query, catalogue) for query in queries] for name in names})
