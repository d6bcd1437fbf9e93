"""Queries that real users seldom are and every app meets: each is asked of the SavedModel and of every variant too."""

from dataclasses import replace

import numpy as np

from .query import Query

# Candidates that edge cases are asked about: the first items of the catalogue, and one in no vocabulary.
_CANDIDATES = 20
_REPEATS = 3
_NO_ITEMS, _NO_RATINGS = np.empty(0, np.int32), np.empty(0, np.float32)

# Names that changed after version 0.1, whose stored answers are still read.
NAMES_OF_0_1 = {
    "one item": "one film",
    "only unknown items": "only unknown films",
    "unknown items between": "unknown films between",
    "an item repeated": "a film repeated",
}


def edge_queries(known: Query, n_items: int, window: int, median_rating: float) -> dict[str, Query]:
    """Edge cases by name: histories for models that read one, users for those that know them by id.

    Args:
        known: a real user with a long history.
        n_items: size of the catalogue; this id stands for unknown items.
        window: length of a history; 0 for models without one.
        median_rating: what the items of a made-up history are rated.
    """
    unknown = n_items
    asked = np.append(np.arange(min(_CANDIDATES, unknown), dtype=np.int32), np.int32(unknown))
    base = replace(known, items=asked, ratings=np.zeros(len(asked), np.float32))
    nobody = replace(base, user=-1, seen=_NO_ITEMS, stars=_NO_RATINGS, preferences=())
    cases = {
        "nobody known": nobody,
        "one unknown candidate": replace(base, items=asked[-1:], ratings=base.ratings[-1:]),
    }
    if not window:
        return cases
    everything = np.arange(unknown, dtype=np.int32)
    first = base.seen[:1]
    histories = {
        "one item": first,
        "only unknown items": np.full(_REPEATS, unknown, np.int32),
        "unknown items between": np.concatenate([[unknown], first, [unknown]]).astype(np.int32),
        "an item repeated": np.repeat(first, _REPEATS),
        "longer than the window": np.resize(everything[::-1], window + len(asked)),
        "everything seen": everything,
    }
    made = {
        name: replace(nobody, seen=seen, stars=np.full(len(seen), median_rating, np.float32))
        for name, seen in histories.items()
    }
    return cases | made
