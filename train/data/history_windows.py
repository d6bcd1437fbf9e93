"""Histories as rows of one length."""

import numpy as np

from ...core.queries.histories import Histories


def history_windows(seen: Histories, users: np.ndarray, n_items: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The last `window` events of each of `users` int64[b], newest last.

    Returns:
        Items int32[b, window] and ratings float32[b, window]; unused places, in front, hold `n_items` and 0.
    """
    history = np.full((len(users), window), n_items, np.int32)
    ratings = np.zeros((len(users), window), np.float32)
    for row, user in enumerate(users):
        items = seen.items_of(user)[-window:]
        history[row, window - len(items) :] = items
        ratings[row, window - len(items) :] = seen.ratings_of(user)[-window:]
    return history, ratings
