"""The pocket models as they are saved: folded tables, string-keyed for a server and id-keyed for a phone.

A history is oldest first and fills its window from the end: unused places, in front, hold the id one past the vocabulary
(or ''). A rating (`stars`) of 0 means "used, not rated". Unknown ids and tokens count as absent.
"""

import numpy as np

from ..tf import Tensor, tf
from .ranker import HISTORY_DAMPING, RESIDUAL_DAMPING

# Weight of popularity: the floor for an empty history, and half of what is missing to 1 after `POPULARITY_HALF` items. On
# validation it raises recall@100 of users with 5 known items from .580 to .592, and costs .002 with whole histories; see
# decision 21.
POPULARITY_FLOOR, POPULARITY_HALF = 0.4, 8.0


def _lookup(tokens: list[str]) -> Tensor:
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(tokens), tf.range(len(tokens), dtype=tf.int32))
    return tf.lookup.StaticHashTable(pairs, default_value=len(tokens))


def _spec(name: str, shape: list[int | None], dtype: Tensor) -> Tensor:
    return tf.TensorSpec(shape, dtype, name)


class _Tables(tf.Module):
    """Folded tables as variables, and the vocabularies that lead to them."""

    def __init__(self, tables: dict[str, np.ndarray], items: list[str], preferences: list[str], window: int) -> None:
        self.n_items, self.n_preferences, self.window = len(items), len(preferences), window
        self.items, self.preferences = _lookup(items), _lookup(preferences) if preferences else None
        for name, table in tables.items():
            setattr(self, f"table_{name}", tf.Variable(table, trainable=False))

    def declared(self, tokens: Tensor) -> Tensor:
        """Tokens string[n, p] to indicators float32[n, n_preferences]; unknown ones and repetitions are ignored."""
        if self.preferences is None:
            return tf.zeros([tf.shape(tokens)[0], 0])
        marks = tf.one_hot(self.preferences.lookup(tokens), self.n_preferences)
        return tf.reduce_max(tf.concat([marks, tf.zeros_like(marks[:, :1])], axis=1), axis=1)

    def query_specs(self) -> dict[str, Tensor]:
        """Id-keyed user inputs: the history, and preferences where the data has any."""
        specs = {"history": _spec("history", [self.window], tf.int32)}
        if self.n_preferences:
            specs["preferences"] = _spec("preferences", [self.n_preferences], tf.float32)
        return specs

    def no_preferences(self) -> Tensor:
        return tf.zeros([0])


def _linear(values: Tensor, table: Tensor) -> Tensor:
    """Product over the last axis, float32[..., n] by float32[n, d], without the rank-3 matmul of a phone's single query."""
    if values.shape.rank > 1:
        return tf.matmul(values, table)
    return tf.reshape(tf.matmul(tf.reshape(values, [1, values.shape[0]]), table), [-1])


class PocketRanker(_Tables):
    """`serving_default`: watched string[n, w], stars float32[n, w] (the last of them where w is beyond the window), declared
    string[n, p], candidates string[n, m] to rating float32[n, m]. `ranker`: history int32[window], stars float32[window],
    preferences float32[n_preferences], items int32[m] to rating float32[m]. Ratings are not clipped, so that they rank.
    """

    def rate(self, history: Tensor, stars: Tensor, preferences: Tensor, items: Tensor) -> Tensor:
        """float32[..., m] of history and stars [..., w], preferences [..., p], items [..., m]: a batch, or one phone's query."""
        watched = tf.cast(history < self.n_items, tf.float32)
        rated = watched * tf.cast(stars > 0, tf.float32)
        residual = (stars - tf.gather(self.table_item_mean, history)) * rated
        total = tf.expand_dims(watched, -1) * tf.gather(self.table_history_plain, history)
        total += tf.expand_dims(residual, -1) * tf.gather(self.table_history_rated, history)
        count = tf.reduce_sum(watched, axis=-1, keepdims=True)
        p = tf.reduce_sum(total, axis=-2) / tf.sqrt(count + HISTORY_DAMPING)
        user = self.table_residual_scale * tf.reduce_sum(residual, axis=-1, keepdims=True) / (count + RESIDUAL_DAMPING)
        if self.n_preferences:
            p += _linear(preferences, self.table_preference)
            user += _linear(preferences, self.table_preference_bias[:, None])
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
            _spec("watched", [None, None], tf.string),
            _spec("stars", [None, None], tf.float32),
            _spec("declared", [None, None], tf.string),
            _spec("candidates", [None, None], tf.string),
        )
        by_id = tf.function(self._ranker).get_concrete_function(
            **self.query_specs(),
            stars=_spec("stars", [self.window], tf.float32),
            items=_spec("items", [None], tf.int32),
        )
        return {"serving_default": serve, "ranker": by_id}


class PocketQuery(_Tables):
    """`serving_default`: watched string[n, w], the last of them where w is beyond the window, declared string[n, p] to query
    float32[n, d].
    `query_encoder`: history int32[window], preferences float32[n_preferences] to query float32[1, d].
    """

    def __init__(self, tables: dict[str, np.ndarray], items: list[str], preferences: list[str], window: int) -> None:
        kept = {name: tables[name] for name in ("mix", "preference")}
        candidates = tables["candidate"]
        # A row of zeros for the last column, popularity, which is not part of a taste.
        kept["mix"] = np.concatenate([tables["mix"], np.zeros_like(tables["mix"][:1])])
        kept |= {
            "candidate": np.concatenate([candidates, np.zeros_like(candidates[:1])]),
            "recency": tables["recency"][::-1].copy(),
        }
        super().__init__(kept, items, preferences, window)
        self.unit = float(tables["unit"])

    def encode(self, history: Tensor, preferences: Tensor) -> Tensor:
        """float32[..., d] of history [..., w] and preferences [..., p]; what is summed are the candidates' own rows."""
        width = history.shape[-1]
        recency = (
            self.table_recency if width == self.window else self.table_recency[self.window - tf.shape(history)[-1] :]
        )
        known = tf.cast(history < self.n_items, tf.float32)
        weight = recency * known
        weight /= tf.sqrt(tf.maximum(tf.reduce_sum(weight, axis=-1, keepdims=True), 1.0))
        mean = tf.reduce_sum(tf.gather(self.table_candidate, history) * tf.expand_dims(weight, -1), axis=-2)
        query = _linear(mean, self.table_mix)
        if self.n_preferences:
            query += _linear(preferences, self.table_preference)
        count = tf.reduce_sum(known, axis=-1, keepdims=True)
        # The floor plus (1 - floor) * count / (count + half), times the unit, with one division.
        missing = self.unit * (1 - POPULARITY_FLOOR) * POPULARITY_HALF
        return tf.concat([query, self.unit - missing / (count + POPULARITY_HALF)], axis=-1)

    def __call__(self, features: dict[str, Tensor]) -> Tensor:
        """Features by name (watched, declared) to query float32[n, d]: the form a TFRS index calls."""
        watched = features["watched"][:, -self.window :]
        return self.encode(self.items.lookup(watched), self.declared(features["declared"]))

    def _encoder(self, history: Tensor, preferences: Tensor = None) -> dict[str, Tensor]:
        query = self.encode(history, self.no_preferences() if preferences is None else preferences)
        return {"query": tf.expand_dims(query, 0)}

    def specs(self) -> dict[str, Tensor]:
        """String-keyed user inputs."""
        return {name: _spec(name, [None, None], tf.string) for name in ("watched", "declared")}

    def signatures(self) -> dict[str, Tensor]:
        """Concrete functions by name."""
        serve = tf.function(lambda watched, declared: {"query": self({"watched": watched, "declared": declared})})
        return {
            "serving_default": serve.get_concrete_function(**self.specs()),
            "query_encoder": tf.function(self._encoder).get_concrete_function(**self.query_specs()),
        }


class PocketScorer(PocketQuery):
    """Ranks implicit data, which has no ratings to predict: the retriever's score, under the ranker's signatures.

    `serving_default`: watched string[n, w], declared string[n, p], candidates string[n, m] to rating float32[n, m]. `ranker`:
    history int32[window], preferences float32[n_preferences], items int32[m] to rating float32[m].
    """

    def rate(self, history: Tensor, stars: Tensor, preferences: Tensor, items: Tensor) -> Tensor:
        query = self.encode(history, preferences)
        query = query if items.shape.rank == 1 else tf.expand_dims(query, -2)
        return tf.reduce_sum(tf.gather(self.table_candidate, items) * query, axis=-1)

    def _serve(self, watched: Tensor, declared: Tensor, candidates: Tensor) -> dict[str, Tensor]:
        history = self.items.lookup(watched[:, -self.window :])
        return {"rating": self.rate(history, None, self.declared(declared), self.items.lookup(candidates))}

    def _ranker(self, history: Tensor, items: Tensor, preferences: Tensor = None) -> dict[str, Tensor]:
        preferences = self.no_preferences() if preferences is None else preferences
        return {"rating": self.rate(history, None, preferences, items)}

    def signatures(self) -> dict[str, Tensor]:
        """Concrete functions by name."""
        serve = tf.function(self._serve).get_concrete_function(
            **self.specs(), candidates=_spec("candidates", [None, None], tf.string)
        )
        by_id = tf.function(self._ranker).get_concrete_function(
            **self.query_specs(), items=_spec("items", [None], tf.int32)
        )
        return {"serving_default": serve, "ranker": by_id}


class PocketCandidate(tf.Module):
    """`serving_default`: item string[n] to candidate float32[n, d]; zeros for an unknown item."""

    def __init__(self, candidates: np.ndarray, items: list[str]) -> None:
        self.items = _lookup(items)
        self.table = tf.Variable(np.concatenate([candidates, np.zeros_like(candidates[:1])]), trainable=False)

    def signatures(self) -> dict[str, Tensor]:
        """Concrete functions by name."""
        serve = tf.function(lambda item: {"candidate": tf.gather(self.table, self.items.lookup(item))})
        return {"serving_default": serve.get_concrete_function(_spec("item", [None], tf.string))}
