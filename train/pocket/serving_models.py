"""The ranker and the candidates as they are saved: string-keyed for a server and id-keyed for a phone.

A history is oldest first and fills its window from the end: unused places, in front, hold the id one past the vocabulary
(or ''). A rating (`stars`) of 0 means "used, not rated". Unknown ids and tokens count as absent.
"""

import numpy as np

from ..products import linear
from ..tf import Tensor, tf
from .ranker import HISTORY_DAMPING, RESIDUAL_DAMPING
from .saved_tables import SavedTables, lookup, spec

# Events of the history that predict ratings; 200 keeps .8934 of .8921 RMSE (100: .901, 50: .913), see decision 18.
RANKED_WINDOW = 200


class PocketRanker(SavedTables):
    """`serving_default`: watched string[n, w], stars float32[n, w] (the last of them where w is beyond the window), declared
    string[n, p], candidates string[n, m] to rating float32[n, m]. `ranker`: history int32[window], stars float32[window],
    preferences float32[n_preferences], items int32[m] to rating float32[m]. Ratings are not clipped, so that they rank.
    """

    def rate(self, history: Tensor, stars: Tensor, preferences: Tensor, items: Tensor) -> Tensor:
        """float32[..., m] of history and stars [..., w], preferences [..., p], items [..., m]: a batch, or one phone's query.

        Of the history the last `RANKED_WINDOW` events are read.
        """
        if history.shape[-1] is None or history.shape[-1] > RANKED_WINDOW:
            history, stars = history[..., -RANKED_WINDOW:], stars[..., -RANKED_WINDOW:]
        watched = tf.cast(history < self.n_items, tf.float32)
        rated = watched * tf.cast(stars > 0, tf.float32)
        residual = (stars - tf.gather(self.table_item_mean, history)) * rated
        total = tf.gather(self.table_history_plain, history)  # unused places read a row of zeros
        total += tf.expand_dims(residual, -1) * tf.gather(self.table_history_rated, history)
        count = tf.reduce_sum(watched, axis=-1, keepdims=True)
        p = tf.reduce_sum(total, axis=-2) / tf.sqrt(count + HISTORY_DAMPING)
        user = self.table_residual_scale * tf.reduce_sum(residual, axis=-1, keepdims=True) / (count + RESIDUAL_DAMPING)
        if self.n_preferences:
            p += linear(preferences, self.table_preference)
            user += linear(preferences, self.table_preference_bias[:, None])
        p = p if items.shape.rank == 1 else tf.expand_dims(p, -2)
        scores = tf.reduce_sum(tf.gather(self.table_item, items) * p, axis=-1)
        return scores + tf.gather(self.table_item_bias, items) + (user + self.table_mean)

    def _serve(self, watched: Tensor, stars: Tensor, declared: Tensor, candidates: Tensor) -> dict[str, Tensor]:
        history, stars = self.items.lookup(watched[:, -self.window :]), stars[:, -self.window :]
        return {"rating": self.rate(history, stars, self.declared(declared), self.items.lookup(candidates))}

    def _ranker(self, history: Tensor, stars: Tensor, items: Tensor, preferences: Tensor = None) -> dict[str, Tensor]:
        preferences = self.no_preferences() if preferences is None else preferences
        return {"rating": self.rate(history, stars, preferences, items)}

    def signatures(self) -> dict[str, Tensor]:
        """Concrete functions by name."""
        serve = tf.function(self._serve).get_concrete_function(
            spec("watched", [None, None], tf.string),
            spec("stars", [None, None], tf.float32),
            spec("declared", [None, None], tf.string),
            spec("candidates", [None, None], tf.string),
        )
        by_id = tf.function(self._ranker).get_concrete_function(
            **self.query_specs(),
            stars=spec("stars", [self.window], tf.float32),
            items=spec("items", [None], tf.int32),
        )
        return {"serving_default": serve, "ranker": by_id}


class PocketCandidate(tf.Module):
    """`serving_default`: item string[n] to candidate float32[n, d]; zeros for an unknown item."""

    def __init__(self, candidates: np.ndarray, items: list[str]) -> None:
        self.items = lookup(items)
        self.table = tf.Variable(np.concatenate([candidates, np.zeros_like(candidates[:1])]), trainable=False)

    def signatures(self) -> dict[str, Tensor]:
        """Concrete functions by name."""
        serve = tf.function(lambda item: {"candidate": tf.gather(self.table, self.items.lookup(item))})
        return {"serving_default": serve.get_concrete_function(spec("item", [None], tf.string))}
