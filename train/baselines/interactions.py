"""Dense blocks of the user-item matrix, and its item-item products."""

import os

import numpy as np

from ...core.queries.histories import Histories

# At 20,000 items one float64[n_items, n_items] takes 3.2 GB, and what inverts it holds up to seven of them.
MAX_SQUARE_ITEMS, SQUARE_MATRICES = 20_000, 7
USER_BLOCK = 1024


def free_memory() -> int:
    """Bytes of memory that nothing uses."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def square_limit(n_items: int, max_items: int) -> str | None:
    """Why no item-item matrix is built for a catalogue of this size; None where one is."""
    if n_items > max_items:
        return f"{n_items} items; an item-item matrix is built for up to {max_items}"
    needed, free = SQUARE_MATRICES * 8 * n_items**2, free_memory()
    if needed <= free:
        return None
    return f"{n_items} items; item-item matrices of {needed / 1e9:.1f} GB in {free / 1e9:.1f} GB of free memory"


def dense(events: Histories, users: np.ndarray, n_items: int, power: int = 0) -> np.ndarray:
    """float32[b, n_items]: the ratings of `users` int64[b] to `power`, so 1 at power 0; 0 where there is no event."""
    block = np.zeros((len(users), n_items), np.float32)
    for row, user in enumerate(users):
        block[row, events.items_of(user)] = events.ratings_of(user) ** power
    return block


def item_products(events: Histories, n_items: int, left: int = 0, right: int = 0) -> np.ndarray:
    """float32[n_items, n_items]: sum of r_ui**left * r_uj**right over the users with both items."""
    total = np.zeros((n_items, n_items), np.float32)
    n_users = len(events.offsets) - 1
    for start in range(0, n_users, USER_BLOCK):
        users = np.arange(start, min(start + USER_BLOCK, n_users))
        total += dense(events, users, n_items, left).T @ dense(events, users, n_items, right)
    return total
