"""The transformer while it is trained: item vectors, attention, preferences and popularity, and what is left for an app.

    candidate_i = [F_i + c_i W_c ; b_i]                 query = [z + g W_p ; 1]

One table is looked up and searched; z is the state of attention.py, c_i the content of an item and g the declared preferences.
"""

import numpy as np

from ...core.queries.histories import Histories
from ..data.item_content import Indicators
from ..folding import with_bias
from ..products import sparse
from ..tf import Tensor, tf
from .attention import every_state
from .settings import TransformerSettings

# First bias by distance: recent items count more, as distance to this power.
FIRST_RECENCY = -0.5


class TransformerNetwork(tf.Module):
    """Item vectors and one block of attention, with the loss of a batch of sequences."""

    def __init__(
        self,
        seen: Histories,
        n_items: int,
        content: Indicators,
        preferences: Indicators,
        settings: TransformerSettings,
        seed: int,
    ) -> None:
        super().__init__()
        self.settings, self.n_items = settings, n_items
        self.random = tf.random.Generator.from_seed(seed)
        counts = np.bincount(seen.item, minlength=n_items)
        self.rated = counts > 0
        self.content, self.declared = sparse(content), tf.constant(preferences.dense())
        self.rows = self._normal(0.05, n_items, self.width)
        self.content_table = self._normal(0.05, len(content.tokens), self.width)
        self.preference_table = self._normal(0.05, len(preferences.tokens), self.width)
        self.bias = tf.Variable(np.log(np.maximum(counts, 0.5) / len(seen.item)).astype(np.float32))
        self.weights = self._attention()

    @property
    def width(self) -> int:
        """Of an item's vector without its bias."""
        return self.settings.dimension - 1

    def _normal(self, deviation: float, *shape: int) -> Tensor:
        return tf.Variable(self.random.normal(shape, stddev=deviation))

    def _attention(self) -> dict[str, Tensor]:
        """First weights; see `Weights`."""
        s, d = self.settings, self.width
        wide, place = s.widening * d, FIRST_RECENCY * np.log(np.arange(s.context, 0, -1))
        return {
            "start": self._normal(1.0, d),
            "attend": self._normal(0.1 / d, d, s.heads * d),
            "place": tf.Variable(np.tile(place, (s.heads, 1)).astype(np.float32)),
            "start_place": tf.Variable(tf.zeros([s.heads])),
            "collect": self._normal((s.heads * d) ** -0.5, s.heads * d, d),
            "widen": self._normal(d**-0.5, d, wide),
            "widen_bias": tf.Variable(tf.zeros([wide])),
            "narrow": self._normal(0.5 * wide**-0.5, wide, d),
            "narrow_bias": tf.Variable(tf.zeros([d])),
            "gain": tf.Variable(tf.fill([d], 0.5)),
            "shift": tf.Variable(tf.zeros([d])),
        }

    def items(self) -> Tensor:
        """float32[n_items, d - 1]: the table both sides read."""
        return self.rows + tf.sparse.sparse_dense_matmul(self.content, self.content_table)

    def states(self, table: Tensor, items: Tensor, *, training: bool = False) -> Tensor:
        """float32[b, n + 1, d - 1] of items int32[b, n]: the states before the first and after each."""
        known = tf.cast(items < self.n_items, tf.float32)
        if training:
            known *= tf.cast(self.random.uniform(tf.shape(known)) >= self.settings.hidden_events, tf.float32)
        rows = tf.gather(table, tf.minimum(items, self.n_items - 1))
        return every_state(self.weights, rows, known, self.settings.dropout if training else 0.0)

    def loss(self, users: Tensor, items: Tensor) -> Tensor:
        """Mean cross-entropy of every event given those before it, with the penalties; users int32[b], items int32[b, n]."""
        table, s = self.items(), self.settings
        states = self.states(table, items[:, :-1], training=True)
        declared = tf.gather(self.declared, users)
        declared *= tf.cast(self.random.uniform([tf.shape(users)[0], 1]) >= s.undeclared, tf.float32)
        states += tf.matmul(declared, self.preference_table)[:, None, :]
        place = tf.where(items < self.n_items)
        query, target = tf.gather_nd(states, place), tf.gather_nd(items, place)
        return self._entropy(query, target, table) + self._penalty()

    def _entropy(self, query: Tensor, target: Tensor, table: Tensor) -> Tensor:
        """Softmax over every item, or over the target and `negatives` items drawn uniformly."""
        if self.n_items <= self.settings.negatives:
            scores = tf.matmul(query, table, transpose_b=True) + self.bias
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(target, scores))
        drawn = self.random.uniform([self.settings.negatives], 0, self.n_items, tf.int32)
        scores = tf.matmul(query, tf.gather(table, drawn), transpose_b=True) + tf.gather(self.bias, drawn)
        # Each drawn item stands for as many as there are for one.
        scores += tf.math.log(self.n_items / self.settings.negatives)
        scores = tf.where(drawn[None] == target[:, None], -1e9, scores)
        wanted = tf.reduce_sum(query * tf.gather(table, target), axis=1) + tf.gather(self.bias, target)
        everything = tf.concat([wanted[:, None], scores], axis=1)
        return tf.reduce_mean(tf.reduce_logsumexp(everything, axis=1) - wanted)

    def _penalty(self) -> Tensor:
        s = self.settings
        dense = tf.reduce_sum(self.content_table**2) + tf.reduce_sum(self.preference_table**2)
        return s.penalty * tf.reduce_sum(self.rows**2) / self.n_items + s.content_penalty * dense

    def folded(self) -> dict[str, np.ndarray]:
        """The tables an app needs: those of `with_bias`, `preference` float32[n_preferences, d - 1], `content`
        float32[n_content, d - 1], and the weights of attention.py by their names."""
        by_content = tf.sparse.sparse_dense_matmul(self.content, self.content_table).numpy()
        items = self.rows.numpy() * self.rated[:, None] + by_content
        return {
            **with_bias(items, self.bias.numpy(), self.rated),
            "preference": self.preference_table.numpy(),
            "content": self.content_table.numpy(),
            **{name: variable.numpy() for name, variable in self.weights.items()},
        }
