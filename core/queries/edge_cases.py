"""Queries that real users seldom are and every app meets: each is asked of the SavedModel and of every variant too."""

from dataclasses import replace

import numpy as np

from .query import Query

# Candidates that edges are asked about: so many of the catalogue, and one in no vocabulary.
_CANDIDATES = 20


_FEW = 3


_NO_ITEMS, _NO_STARS = np.empty(0, np.int32), np.empty(0, np.float32)


def edge_queries(known: Query, n_items: int, window: int, median_rating: float) -> dict[str, Query]:
    """Edge cases by name: histories for models that read one, users for those that know them by id.

    Args:
        known: a real user with a long history.
        window: length of a history; 0 for models without one.
        median_rating: what the items of a made-up history are rated.
    """
    unknown = n_items
    asked = np.append(np.arange(min(_CANDIDATES, unknown), dtype=np.int32), np.int32(unknown))
    base = replace(known, items=asked, ratings=np.zeros(len(asked), np.float32))
    nobody = replace(base, user=-1, seen=_NO_ITEMS, stars=_NO_STARS, preferences=())
    edges = {
        "nobody known": nobody,
        "one unknown candidate": replace(base, items=asked[-1:], ratings=base.ratings[-1:]),
    }
    if not window:
        return edges
    everything = np.arange(unknown, dtype=np.int32)
    first = base.seen[:1]
    histories = {
        "one film": first,
        "only unknown films": np.full(_FEW, unknown, np.int32),
        "unknown films between": np.concatenate([[unknown], first, [unknown]]).astype(np.int32),
        "a film repeated": np.repeat(first, _FEW),
        "longer than the window": np.resize(everything[::-1], window + len(asked)),
        "everything seen": everything,
    }
    made = {
        name: replace(nobody, seen=seen, stars=np.full(len(seen), median_rating, np.float32))
        for name, seen in histories.items()
    }
    return edges | made
