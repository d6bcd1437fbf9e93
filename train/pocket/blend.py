"""Two fitted retrievers as one: their vectors side by side, so that the product is the sum of their scores."""

from typing import TypeAlias

import numpy as np

from ...core.metrics import RETRIEVED
from ...core.queries.histories import Histories
from ..data.history_windows import history_windows
from ..data.splits import SPLITS
from ..linear.retriever import LISTED_STD, SCALE_USERS
from ..tf import tf
from .known import Known
from .query_models import TransformerQuery

Tables: TypeAlias = dict[str, np.ndarray]

# What the transformer's scores count for beside the linear encoder's, when those of a list differ as much, where what is held out
# comes after the history and where it does not: the best on validation of MovieLens-100K of 0, 0.125, 0.25, 0.5 and more; see the
# decision record.
WEIGHT_OF_FUTURE, WEIGHT_BETWEEN = 0.25, 0.125


def blended(linear: Tables, transformer: Tables, known: Known, split: str, window: int) -> Tables:
    """The tables of a `BlendQuery`.

    The candidates are [c (C_i, share_i - u), E_i, b_i]: C and share are the linear encoder's, E and b the transformer's. c makes
    both halves equally large, so that rows quantized with one scale keep both, and u, the share of an item without ratings, makes
    that of such an item 0; it changes no order.

    Returns:
        `candidate` float32[n_items, d1 + d2], `content` float32[n_content, d1 + d2 - 1] and `unrated` float32[], as every retriever
        has them, `scales` float32[2], by which the two queries are multiplied, and the tables of both, `linear.` and `transformer.`
        before their names.
    """
    own, other = linear["candidate"].copy(), transformer["candidate"]
    own[:, -1] -= linear["unrated"]
    level = float(np.abs(other).max(axis=1).mean() / max(float(np.abs(own).max(axis=1).mean()), 1e-6))
    level = np.float32(level)
    content = [level * linear["content"], np.zeros_like(linear["content"][:, :1]), transformer["content"]]
    share = WEIGHT_OF_FUTURE if SPLITS[split].is_future else WEIGHT_BETWEEN
    weight = share * LISTED_STD / _listed_std(transformer, known, window)
    kept = {f"linear.{name}": table for name, table in linear.items() if name not in ("candidate", "content")}
    kept |= {
        f"transformer.{name}": table for name, table in transformer.items() if name not in ("candidate", "content")
    }
    return {
        **kept,
        "candidate": np.concatenate([level * own, other], axis=1),
        "content": np.concatenate(content, axis=1),
        "unrated": transformer["unrated"],
        "scales": np.array([1 / level, weight], np.float32),
    }


def _listed_std(tables: Tables, known: Known, window: int) -> float:
    """Standard deviation of the transformer's scores of a list, mean over users; 1 where there is none."""
    seen, n_items = known.seen, len(known.train.items)
    users = np.flatnonzero(np.diff(seen.offsets))[:SCALE_USERS]
    history, stars = history_windows(seen, users, n_items, window)
    declared = np.zeros((len(users), len(known.vocabulary)), np.float32)
    query = TransformerQuery(tables, known.train.items, known.vocabulary, window)
    scores = tf.function(query.encode)(history, np.zeros_like(stars), declared).numpy() @ tables["candidate"].T
    found = spreads(scores, seen, users)
    return float(np.mean(found)) if found and np.mean(found) > 0 else 1.0


def spreads(scores: np.ndarray, seen: Histories, users: np.ndarray) -> list[float]:
    """Standard deviation of the best `RETRIEVED` of scores float[n, n_items] of each of `users` int64[n], what they have left out;
    none of a user for whom fewer than two items are left."""
    found = []
    for row, user in zip(scores, users, strict=True):
        left = np.delete(row, seen.items_of(user))
        if len(left) > 1:
            found.append(float(np.sort(left)[-RETRIEVED:].std()))
    return found
