"""Queries, and the catalogue their ids belong to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Query:
    """One user, and the items the query is about. An id one past a vocabulary stands for anything that is in none.

    Attributes:
        user: index in the user vocabulary; -1 for a user in none.
        items: int32[n], candidates: for held-out users what they rated later, oldest first.
        ratings: float32[n], what the user gave them.
        seen: int32[m], items of the history, oldest first.
        stars: float32[m], what the user gave those; 0 where they gave nothing.
        preferences: declared tokens.
        genres: genres the answer is narrowed to; all items when empty.
        excluded: int32[n], items left out of the answer besides those of the history.
    """

    user: int
    items: np.ndarray
    ratings: np.ndarray
    seen: np.ndarray
    stars: np.ndarray
    preferences: Sequence[str] = ()
    genres: Sequence[str] = ()
    excluded: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))


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
