"""What several tests of the judge are given: a reference of one user over four items, and outputs for it."""

import numpy as np
from pocketrec.benchmarks.parity.reference import Reference
from pocketrec.core.queries.query import Query


class Data:
    """Four items, one user who saw item 0 and later rated item 2."""

    items = ("a", "b", "c", "d")
    users = ("somebody",)
    queries = (
        Query(
            0,
            np.array([2], np.int32),
            np.array([5.0], np.float32),
            np.array([0], np.int32),
            np.array([4.0], np.float32),
        ),
    )
    popularity = np.array([9, 1, 5, 3])
    edges = ()
    is_implicit = False


REFERENCE = Reference(
    {"scores": np.array([[9.0, 4.0, 3.0, 1.0]], np.float32), "rating": np.zeros(1)}, Data.queries, Data
)


def retrieved(ids, scores):
    """Outputs of a retriever for the one user."""
    return {"ids": np.array([ids], np.int32), "scores": np.array([scores], np.float32)}
