"""Ratings in memory, and how they are split."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from ...core.errors import InputError, pick
from ...core.queries.histories import Histories, group_events
from .splits import SPLITS


@dataclass(frozen=True)
class Ratings:
    """Interactions over two vocabularies; row order is the source's.

    Attributes:
        name: dataset name, such as `movielens/100k`.
        user: int32[n], index into `users`.
        item: int32[n], index into `items`.
        rating: float32[n], on the source's scale.
        timestamp: int64[n], seconds since 1970-01-01 UTC; the row's number where the source has no times.
        users: distinct user ids.
        items: distinct item ids; the order of every item table made from them.
        titles: display title of each item.
        genres: genre names of each item.
        user_preferences: declared preferences of each user, tokens such as `gender:F`; empty when nothing is known.
        is_implicit: every row is a positive and the ratings mean nothing.
        has_timestamps: whether the source says when each interaction happened.
    """

    name: str
    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    timestamp: np.ndarray
    users: list[str]
    items: list[str]
    titles: list[str]
    genres: list[list[str]]
    user_preferences: list[list[str]] = field(default_factory=list)
    is_implicit: bool = False
    has_timestamps: bool = True

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: np.ndarray) -> "Ratings":
        """The interactions at `rows` (int64[m]), over the same vocabularies."""
        return replace(
            self, user=self.user[rows], item=self.item[rows], rating=self.rating[rows], timestamp=self.timestamp[rows]
        )

    def sha256(self) -> str:
        """Hex SHA-256 over vocabularies and interactions, by which run.json identifies the data."""
        digest = hashlib.sha256()
        features = ["\t".join(row) for rows in (self.genres, self.user_preferences) for row in rows]
        for tokens in (self.users, self.items, self.titles, features):
            digest.update("\n".join(tokens).encode() + b"\0")
        for array, dtype in ((self.user, "<i4"), (self.item, "<i4"), (self.rating, "<f4"), (self.timestamp, "<i8")):
            digest.update(np.ascontiguousarray(array, dtype).tobytes())
        return digest.hexdigest()


def by_popularity(train: Ratings, test: Ratings) -> tuple[Ratings, Ratings]:
    """The same interactions, items renumbered by how often `train` rates them, most first; ties keep their order.

    It makes retrieval faster: a runtime's top k keeps a heap of the best so far, and once the likely items have been seen, most
    others are rejected by a single, well predicted comparison.
    """
    counts = np.bincount(train.item, minlength=len(train.items))
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    names = {name: [getattr(train, name)[i] for i in order] for name in ("items", "titles", "genres")}
    return replace(train, item=rank[train.item], **names), replace(test, item=rank[test.item], **names)


def latest_of_each_pair(user: np.ndarray, item: np.ndarray, timestamp: np.ndarray, n_items: int) -> np.ndarray:
    """bool[n]: the last row of each user and item, by timestamp, then by row."""
    pair = user.astype(np.int64) * n_items + item
    order = np.lexsort((timestamp, pair))
    pair = pair[order]
    kept = np.zeros(len(user), bool)
    kept[order[np.append(pair[1:] != pair[:-1], True)]] = True
    return kept


def vocabulary_of(tokens: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Distinct tokens, numbers in numeric order before text in code-point order, and int32[n] indices into them."""
    distinct, inverse = np.unique(tokens, return_inverse=True)
    names = [str(token) for token in distinct]
    order = sorted(
        range(len(names)), key=lambda i: (0, int(names[i]), "") if names[i].isdecimal() else (1, 0, names[i])
    )
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    return [names[i] for i in order], rank[inverse.reshape(-1)]


def histories(ratings: Ratings) -> Histories:
    """Group `ratings` by user, ordered by time; equal times keep the source's order."""
    return group_events(ratings.user, ratings.item, ratings.rating, ratings.timestamp, len(ratings.users))


def split_ratings(ratings: Ratings, split: str, seed: int) -> tuple[Ratings, Ratings]:
    """Split into training and held-out parts; both keep the source's row order.

    Args:
        split: a key of `SPLITS`.
        seed: of the PCG64 generator, where the split is random.

    Raises:
        InputError: unknown split, no timestamps to split by, or nothing would be left on one side.
    """
    chosen = SPLITS[pick("--split", split, SPLITS)]
    if chosen.is_future and not ratings.has_timestamps:
        raise InputError(
            "--split",
            expected=f"ratings with timestamps for {split}",
            given=f"{ratings.name}, which has no timestamp column",
            do="pass --columns timestamp=COLUMN, or --split random",
            code="SPLIT_IMPOSSIBLE",
        )
    held_out = chosen.held_out(ratings.user, ratings.timestamp, seed)
    if held_out.all() or not held_out.any():
        raise InputError(
            "--split",
            expected="ratings on both sides of the split",
            given=f"{len(ratings)} ratings in all",
            do="use more ratings",
            code="SPLIT_IMPOSSIBLE",
        )
    return ratings.take(np.flatnonzero(~held_out)), ratings.take(np.flatnonzero(held_out))
