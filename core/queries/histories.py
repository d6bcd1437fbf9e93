"""Events grouped by user."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Histories:
    """Events grouped by user, oldest first; user u owns rows `offsets[u]:offsets[u + 1]`.

    Attributes:
        offsets: int64[n_users + 1].
        item: int32[n].
        rating: float32[n].
    """

    offsets: np.ndarray
    item: np.ndarray
    rating: np.ndarray

    def users(self) -> np.ndarray:
        """int32[n], the user of each event."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))

    def items_of(self, user: int) -> np.ndarray:
        """int32[m], the user's items, oldest first."""
        return self.item[self.offsets[user] : self.offsets[user + 1]]

    def ratings_of(self, user: int) -> np.ndarray:
        """float32[m], the user's ratings, oldest first."""
        return self.rating[self.offsets[user] : self.offsets[user + 1]]

    def where(self, kept: np.ndarray) -> "Histories":
        """The events that `kept` bool[n] marks, of the same users."""
        before = np.concatenate([[0], np.cumsum(kept)])
        return Histories(before[self.offsets], self.item[kept], self.rating[kept])


def group_events(
    user: np.ndarray, item: np.ndarray, rating: np.ndarray, timestamp: np.ndarray, n_users: int
) -> Histories:
    """Group the columns of interactions, each [n]: user ids from 0 to `n_users` - 1, item ids, ratings, and times to order by."""
    order = np.lexsort((timestamp, user))
    events = np.bincount(user, minlength=n_users)
    return Histories(np.concatenate([[0], np.cumsum(events)]), item[order], rating[order])
