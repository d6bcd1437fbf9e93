"""The queries that variants are asked: held-out users with what they really rated, never random ids."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from ..train.artifacts import Run
from ..train.data import Histories
from ..train.errors import InputError
from ..train.stage import read_vocabulary


@dataclass(frozen=True)
class Query:
    """One held-out user, and the items their held-out ratings are about.

    Attributes:
        user: index in the user vocabulary.
        items: int32[n], held-out items, oldest first.
        ratings: float32[n], what the user gave them.
        seen: int32[m], items of the training history, oldest first.
    """

    user: int
    items: np.ndarray
    ratings: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class HeldOut:
    """Everything a run holds out, by user."""

    run: Run

    @cached_property
    def users(self) -> list[str]:
        return read_vocabulary(self.run.trained / "vocabularies" / "users.txt")

    @cached_property
    def items(self) -> list[str]:
        return read_vocabulary(self.run.trained / "vocabularies" / "items.txt")

    def _grouped(self, name: str) -> Histories:
        with np.load(self.run.trained / f"{name}.npz") as archive:
            user, item, rating, when = (archive[key] for key in ("user", "item", "rating", "timestamp"))
        order = np.lexsort((when, user))
        events = np.bincount(user, minlength=len(self.users))
        return Histories(np.concatenate([[0], np.cumsum(events)]), item[order], rating[order])

    @cached_property
    def history(self) -> Histories:
        return self._grouped("history")

    @cached_property
    def truth(self) -> Histories:
        return self._grouped("heldout")

    @cached_property
    def queries(self) -> list[Query]:
        """One query for every user with something held out."""
        users = np.flatnonzero(np.diff(self.truth.offsets) > 0)
        return [
            Query(int(u), self.truth.items_of(u), self.truth.ratings_of(u), self.history.items_of(u)) for u in users
        ]


def _seen_mask(query: Query, data: HeldOut) -> np.ndarray:
    mask = np.zeros(len(data.items), bool)
    mask[query.seen] = True
    return mask


# How each input of a graph is made from a query, by the input's name.
FEEDS: dict[str, Callable[[Query, HeldOut], np.ndarray]] = {
    "user": lambda query, data: np.array([query.user], np.int32),
    "items": lambda query, data: query.items.astype(np.int32),
    "seen": _seen_mask,
    "user_id": lambda query, data: np.array([data.users[query.user].encode()] * len(query.items)),
    "movie_title": lambda query, data: np.array([data.items[item].encode() for item in query.items]),
}
_ONE_ROW_A_QUERY = ("user", "seen")


def feeds_for(names: Iterable[str], queries: list[Query], data: HeldOut) -> dict[str, np.ndarray]:
    """Arrays for a worker: one row a query where all are alike, else flat with `.offsets`.

    Raises:
        InputError: a graph asks for an input this kit cannot make from a held-out user.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        if name not in FEEDS:
            raise InputError(
                "input", expected=f"one of {', '.join(FEEDS)}", given=repr(name), do="pass --inputs FILE.npz"
            )
        rows = [FEEDS[name](query, data) for query in queries]
        if name in _ONE_ROW_A_QUERY:
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
