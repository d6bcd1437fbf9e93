"""Query encoders as they are saved, and the ranker that scores with one.

A history is oldest first and fills its window from the end: unused places, in front, hold the id one past the vocabulary
(or ''). A rating (`stars`) of 0 means "used, not rated". Unknown ids and tokens count as absent.
"""

import numpy as np

from ..products import linear
from ..tf import Tensor, tf
from ..transformer.attention import WEIGHTS, last_state
from .saved_tables import SavedTables, spec

# Weight of popularity: the floor for an empty history, and half of what is missing to 1 after `POPULARITY_HALF` items. On
# validation it raises recall@100 of users with 5 known items from .580 to .592, and costs .002 with whole histories; see
# decision 21.
POPULARITY_FLOOR, POPULARITY_HALF = 0.4, 8.0
# What relu6 cuts off at, and the share of the limit of dislikes by which a rating above it is told apart.
_SURE, _TELLS_APART = 6.0, 2.0**-14


class QueryModel(SavedTables):
    """A query encoder.

    `serving_default`: watched string[n, w], the last of them where w is beyond the window, declared string[n, p], and where
    ratings matter stars float32[n, w], to query float32[n, d]. `query_encoder`: history int32[window], preferences
    float32[n_preferences], and where ratings matter stars float32[window], to query float32[1, d].
    """

    takes_ratings = False

    def encode(self, history: Tensor, stars: Tensor, preferences: Tensor) -> Tensor:
        """float32[..., d] of history and stars [..., w] and preferences [..., p]: a batch, or one phone's query."""
        raise NotImplementedError

    def __call__(self, features: dict[str, Tensor]) -> Tensor:
        """Features by name (watched, declared, stars) to query float32[n, d]: the form a TFRS index calls."""
        history = self.items.lookup(features["watched"][:, -self.window :])
        stars = features["stars"][:, -self.window :] if self.takes_ratings else None
        return self.encode(history, stars, self.declared(features["declared"]))

    def specs(self) -> dict[str, Tensor]:
        """String-keyed user inputs."""
        specs = {name: spec(name, [None, None], tf.string) for name in ("watched", "declared")}
        return specs | ({"stars": spec("stars", [None, None], tf.float32)} if self.takes_ratings else {})

    def id_specs(self) -> dict[str, Tensor]:
        """Id-keyed user inputs: history, ratings where they matter, and preferences where the data has any."""
        return self.query_specs() | ({"stars": spec("stars", [self.window], tf.float32)} if self.takes_ratings else {})

    def encode_ids(self, inputs: dict[str, Tensor]) -> Tensor:
        """float32[d] of the inputs of `id_specs`."""
        preferences = inputs.get("preferences")
        return self.encode(
            inputs["history"], inputs.get("stars"), self.no_preferences() if preferences is None else preferences
        )

    def signatures(self) -> dict[str, Tensor]:
        """Concrete functions by name."""
        serve = tf.function(lambda **features: {"query": self(features)})
        by_id = tf.function(lambda **inputs: {"query": tf.expand_dims(self.encode_ids(inputs), 0)})
        return {
            "serving_default": serve.get_concrete_function(**self.specs()),
            "query_encoder": by_id.get_concrete_function(**self.id_specs()),
        }


class PoolingQuery(QueryModel):
    """A weighted mean of the candidates' own rows, mixed: see retriever.py."""

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

    def encode(self, history: Tensor, stars: Tensor, preferences: Tensor) -> Tensor:
        known = tf.cast(history < self.n_items, tf.float32)
        weight = self.by_place(self.table_recency, history) * known
        weight /= tf.sqrt(tf.maximum(tf.reduce_sum(weight, axis=-1, keepdims=True), 1.0))
        mean = tf.reduce_sum(tf.gather(self.table_candidate, history) * tf.expand_dims(weight, -1), axis=-2)
        query = linear(mean, self.table_mix)
        if self.n_preferences:
            query += linear(preferences, self.table_preference)
        count = tf.reduce_sum(known, axis=-1, keepdims=True)
        # The floor plus (1 - floor) * count / (count + half), times the unit, with one division.
        missing = self.unit * (1 - POPULARITY_FLOOR) * POPULARITY_HALF
        return tf.concat([query, self.unit - missing / (count + POPULARITY_HALF)], axis=-1)


class TransformerQuery(QueryModel):
    """One block of attention over the candidates' own rows, for the newest item alone: see ../transformer/attention.py. Disliked
    items count as absent."""

    takes_ratings = True

    def __init__(self, tables: dict[str, np.ndarray], items: list[str], preferences: list[str], window: int) -> None:
        candidates = tables["candidate"]
        kept = {"candidate": np.concatenate([candidates, np.zeros_like(candidates[:1])])}
        kept |= {name: tables[name] for name in ("preference", *WEIGHTS)}
        super().__init__(kept, items, preferences, window)
        self.unit, self.context = float(tables["unit"]), tables["place"].shape[1]
        self.disliked_at = float(tables["disliked_at"])
        # Of a wider table, which another encoder shares, the last columns.
        self.first_column = candidates.shape[1] - 1 - len(tables["start"])

    def encode(self, history: Tensor, stars: Tensor, preferences: Tensor) -> Tensor:
        history, stars = history[..., -self.context :], stars[..., -self.context :]
        rows = tf.gather(self.table_candidate, history)[..., self.first_column : -1]
        weights = {name: getattr(self, f"table_{name}") for name in WEIGHTS}
        known = tf.cast(history < self.n_items, tf.float32) * (1.0 - _disliked(stars, self.disliked_at) / _SURE)
        query = last_state(weights, rows, known)
        if self.n_preferences:
            query += linear(preferences, self.table_preference)
        return tf.concat([query, tf.zeros_like(query[..., :1]) + self.unit], axis=-1)


class LinearQuery(QueryModel):
    """A weighted sum of rows of a table of its own, dislikes against it: see ../linear/retriever.py."""

    takes_ratings = True

    def __init__(self, tables: dict[str, np.ndarray], items: list[str], preferences: list[str], window: int) -> None:
        rows = tables["history"]
        kept = {
            "history": np.concatenate([rows, np.zeros_like(rows[:1])]),
            "recency": tables["recency"][::-1].copy(),
            "preference": tables["preference"],
        }
        super().__init__(kept, items, preferences, window)
        self.disliked_at, self.per_unit, self.best = (float(value) for value in tables["feedback"])
        self.dislike, self.lone_dislike, self.few = (float(value) for value in tables["dislike"])
        self.has_recency = bool(np.ptp(tables["recency"]) > 0)
        self.gain = float(tables["unit"]) * float(tables["popularity_gain"])
        self.half_squared = float(tables["popularity_half"]) ** 2

    def encode(self, history: Tensor, stars: Tensor, preferences: Tensor) -> Tensor:
        place, known = self.by_place(self.table_recency, history), tf.cast(history < self.n_items, tf.float32)
        total = tf.reduce_sum(place * known, axis=-1, keepdims=True)
        disliked = _disliked(stars, self.disliked_at)
        if self.has_recency:  # a dislike does not fade: it counts as the mean place does
            mean = total / tf.maximum(tf.reduce_sum(known, axis=-1, keepdims=True), 1.0)
            place = place + disliked * ((mean - place) / _SURE)
        # Unused places read a row of zeros, whatever their weight.
        weight = place * self._factors(stars, disliked, total)
        query = tf.reduce_sum(tf.gather(self.table_history, history) * tf.expand_dims(weight, -1), axis=-2)
        if self.n_preferences:
            query += linear(preferences, self.table_preference)
        # The length changes no list; it keeps the queries of short and long histories in one range, for recipes that fix it.
        norm = tf.math.rsqrt(total + 1.0)
        return tf.concat([query * norm, norm * self.gain / (total * total + self.half_squared)], axis=-1)

    def _factors(self, stars: Tensor, disliked: Tensor, total: Tensor) -> Tensor:
        """1 for what was used and not rated, less for a lower rating, negative for a dislike: `Feedback.weights`."""
        root = self.few * (self.lone_dislike / _SURE) ** 0.5 / (total + self.few)
        against = root * root + (1.0 + self.dislike) / _SURE
        if not self.per_unit:
            return 1.0 - against * disliked
        rated = tf.cast(tf.not_equal(stars, 0.0), tf.float32)
        return 1.0 - (rated - disliked / _SURE) * (self.per_unit * (self.best - stars)) - against * disliked


def _disliked(stars: Tensor, limit: float) -> Tensor:
    """`_SURE` for each dislike of `stars` float32[..., w], 0 for the rest; 0 stars means "not rated".

    Arithmetic instead of comparisons, which no delegate takes: a product that is negative or 0 but for dislikes, made large and
    cut off. Where "not rated" lies below the limit, the square of the rating takes it out.
    """
    above = limit + abs(limit) * _TELLS_APART
    if limit > 0:
        return tf.nn.relu6(stars * stars * (above - stars) * (_SURE / (_TELLS_APART * limit**3)))
    return tf.nn.relu6((above - stars) * (_SURE / (_TELLS_APART * (abs(limit) or 1.0))))


class BlendQuery(QueryModel):
    """The queries of the linear encoder and of the transformer side by side: see blend.py."""

    takes_ratings = True

    def __init__(self, tables: dict[str, np.ndarray], items: list[str], preferences: list[str], window: int) -> None:
        super().__init__({}, items, preferences, window)
        of = {kind: _without_prefix(tables, f"{kind}.") for kind in ("linear", "transformer")}
        self.linear = LinearQuery(of["linear"], items, preferences, window)
        self.transformer = TransformerQuery(
            of["transformer"] | {"candidate": tables["candidate"]}, items, preferences, window
        )
        self.scales = [float(value) for value in tables["scales"]]

    def encode(self, history: Tensor, stars: Tensor, preferences: Tensor) -> Tensor:
        parts = [part.encode(history, stars, preferences) for part in (self.linear, self.transformer)]
        return tf.concat([part * scale for part, scale in zip(parts, self.scales, strict=True)], axis=-1)


def _without_prefix(tables: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): table for name, table in tables.items() if name.startswith(prefix)}


class RetrievalRanker(SavedTables):
    """Ranks implicit data, which has no ratings to predict: the retriever's score, under the ranker's signatures.

    `serving_default`: the query's inputs and candidates string[n, m] to rating float32[n, m]. `ranker`: the query encoder's
    inputs and items int32[m] to rating float32[m].
    """

    def __init__(
        self, query: QueryModel, candidates: np.ndarray, items: list[str], preferences: list[str], window: int
    ) -> None:
        super().__init__(
            {"candidate": np.concatenate([candidates, np.zeros_like(candidates[:1])])}, items, preferences, window
        )
        self.query = query

    def rate(self, history: Tensor, stars: Tensor, preferences: Tensor, items: Tensor) -> Tensor:
        """float32[..., m]: the retriever's scores of items [..., m]."""
        query = self.query.encode(history, stars, preferences)
        query = query if items.shape.rank == 1 else tf.expand_dims(query, -2)
        return tf.reduce_sum(tf.gather(self.table_candidate, items) * query, axis=-1)

    def signatures(self) -> dict[str, Tensor]:
        """Concrete functions by name."""

        def serve(candidates: Tensor, **features: Tensor) -> dict[str, Tensor]:
            rows = tf.gather(self.table_candidate, self.items.lookup(candidates))
            return {"rating": tf.reduce_sum(rows * tf.expand_dims(self.query(features), -2), axis=-1)}

        def by_id(items: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
            rows = tf.gather(self.table_candidate, items)
            return {"rating": tf.reduce_sum(rows * self.query.encode_ids(inputs), axis=-1)}

        return {
            "serving_default": tf.function(serve).get_concrete_function(
                **self.query.specs(), candidates=spec("candidates", [None, None], tf.string)
            ),
            "ranker": tf.function(by_id).get_concrete_function(
                **self.query.id_specs(), items=spec("items", [None], tf.int32)
            ),
        }
