"""Sums over users that the closed form is solved from: which items meet in a history, and which follow which."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ...core.queries.histories import Histories

# A later event counts for distance ** -FUTURE_DECAY; a user counts for the root of their number of events.
FUTURE_DECAY = 0.7
# Events of a user beyond these, the oldest, are left out of the sums over pairs of events.
LONGEST = 1000


@dataclass(frozen=True)
class Sums:
    """Left and right side of the normal equations.

    Attributes:
        gram: float64[n_items, n_items], what is regressed from.
        cross: float64[n_items, n_items], what it is regressed on.
    """

    gram: np.ndarray
    cross: np.ndarray


def interactions(seen: Histories, n_items: int) -> sparse.csr_matrix:
    """float64[n_users, n_items]: 1 where a user has an item."""
    shape = len(seen.offsets) - 1, n_items
    found = sparse.csr_matrix(
        (np.ones(len(seen.item)), seen.item, seen.offsets), shape, copy=True
    )  # it is sorted in place
    found.sum_duplicates()
    found.data[:] = 1
    return found


def pair_sums(events: sparse.csr_matrix) -> np.ndarray:
    """float64[n_items, n_items]: X'X."""
    return (events.T @ events).toarray()


def future_sums(seen: Histories, n_items: int, recency: float) -> Sums:
    """S'S and S'F: at each event of a user, S is what came before, weighted as a history, and F is what comes from then on.

    Regressing the future on the past is SLIT (Choi et al., WWW 2021). Here every position of a history is a row, and the sums over
    the positions of one user are products of Toeplitz matrices as large as the history.
    """
    gram, cross = np.zeros((n_items, n_items)), np.zeros((n_items, n_items))
    for user in range(len(seen.offsets) - 1):
        items = seen.items_of(user)[-LONGEST:]
        if len(items) < 2:
            continue
        past, future = _past_and_future(len(items), recency)
        where = np.ix_(items, items)
        share = 1 / np.sqrt(len(items) - 1)
        gram[where] += share * (past.T @ past)
        cross[where] += share * (past.T @ future)
    return Sums(gram, cross)


def _past_and_future(n: int, recency: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights float64[n - 1, n] of events before and from position 1, 2, ..., n - 1."""
    distance = np.arange(1, n)[:, None] - np.arange(n)[None, :]
    past = np.where(distance > 0, np.maximum(distance, 1.0) ** -recency, 0.0)
    future = np.where(distance <= 0, np.maximum(1.0 - distance, 1.0) ** -FUTURE_DECAY, 0.0)
    return past, future
