"""The pocket retriever: a history tower over one item table, trained with TFRS' in-batch softmax.

    candidate_i = [F_i + c_i W_c ; b_i]                 query = [(sum_k w_k F'_hk / (sum_k w_k)^1/2) M + g W_p ; 1]

The rows F' of the history are those of the candidates (F + c W_c), so one table serves both sides; one weight w_k per position
in the history is learnt. The exported model gives popularity, b, less weight for a short history (serving_models.py). Targets are
corrected for how often they are sampled (logQ, Yi et al. 2019) and accidental hits are removed, both by `tfrs.tasks.Retrieval`.
"""

from dataclasses import dataclass

import numpy as np

from ...core.queries.histories import Histories
from ..data.item_content import Indicators
from ..folding import with_bias
from ..products import sparse, spmm
from ..tf import Tensor, tf
from ..tfrs import tfrs


@dataclass(frozen=True)
class RetrievalSettings:
    """Hyperparameters; chosen on validation carved from the training part.

    Attributes:
        dimension: of the query and candidate vectors, the bias included.
        epochs, batch, rate: passes, targets per step, Adam's first learning rate (cosine decay to a hundredth).
        penalty: weight of the squared length of item rows (mean over items).
        content_penalty: weight of the squared length of the content and preference tables.
        dropout: share of history events hidden in each step.
        truncated: share of targets whose history is thinned at random, mostly to a short one, so that short histories are
            learnt too.
        undeclared: share of targets whose preferences are hidden.
        forgotten: share of targets whose whole history is hidden, so that preferences alone are learnt too.
        causal: share of targets whose history ends before them; the others see every event but themselves. The better value
            depends on what is held out: events between those of the history (`random`), or after them (the other splits).
    """

    dimension: int = 64
    epochs: int = 8
    batch: int = 1024
    rate: float = 3e-3
    penalty: float = 1e-2
    content_penalty: float = 1e-4
    dropout: float = 0.2
    truncated: float = 0.15
    undeclared: float = 0.3
    forgotten: float = 0.1
    causal: float = 0.5


class PocketRetrieval(tfrs.Model):
    """Trains on batches of positions in `seen` (users' events, oldest first)."""

    def __init__(
        self,
        seen: Histories,
        n_items: int,
        content: Indicators,
        preferences: Indicators,
        settings: RetrievalSettings,
        window: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.settings, self.window, self.n_items = settings, window, n_items
        loss = tf.keras.losses.CategoricalCrossentropy(
            from_logits=True, reduction=tf.keras.losses.Reduction.SUM_OVER_BATCH_SIZE
        )
        self.task = tfrs.tasks.Retrieval(loss=loss, remove_accidental_hits=True)
        self.random = tf.random.Generator.from_seed(seed)
        counts = np.bincount(seen.item, minlength=n_items)
        self.rated = counts > 0
        self.share = tf.constant(np.maximum(counts, 0.5) / len(seen.item), tf.float32)
        self.item, self.starts = tf.constant(seen.item), tf.constant(seen.offsets, tf.int32)
        self.user = tf.constant(seen.users())
        self.content, self.preferences = sparse(content), tf.constant(preferences.dense())
        self._make_tables(len(content.tokens), len(preferences.tokens))

    def _make_tables(self, n_content: int, n_preferences: int) -> None:
        width = self.settings.dimension - 1

        def table(rows: int) -> Tensor:
            return tf.Variable(self.random.normal([rows, width], stddev=0.05))

        self.rows, self.content_table, self.preference_table = (
            table(self.n_items),
            table(n_content),
            table(n_preferences),
        )
        self.recency, self.mix = tf.Variable(tf.fill([self.window], 0.54)), tf.Variable(tf.eye(width))
        self.bias = tf.Variable(tf.math.log(self.share))

    def items(self) -> Tensor:
        """float32[n_items, d - 1]: the table both sides read."""
        return self.rows + tf.sparse.sparse_dense_matmul(self.content, self.content_table)

    def compute_loss(self, targets: Tensor, training: bool = False) -> Tensor:
        user, item = tf.gather(self.user, targets), tf.gather(self.item, targets)
        declared = tf.gather(self.preferences, user)
        table = self.items()
        if training:
            declared *= tf.cast(self.random.uniform([tf.shape(targets)[0], 1]) > self.settings.undeclared, tf.float32)
        query = self._query(*self._past(targets, user, training), declared, table)
        candidate = tf.concat([tf.gather(table, item), tf.gather(self.bias, item)[:, None]], axis=1)
        loss = self.task(
            query,
            candidate,
            candidate_sampling_probability=tf.gather(self.share, item),
            candidate_ids=item,
            compute_metrics=False,
            compute_batch_metrics=False,
        )
        return loss + self._penalty() if training else loss

    def _past(self, targets: Tensor, user: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """History of each target, newest first: positions int32[b, window] and which of them count, bool[b, window]."""
        size = tf.shape(targets)[0]
        causal = self.random.uniform([size]) < self.settings.causal
        end = tf.where(causal, targets, tf.gather(self.starts, user + 1))
        past = end[:, None] - 1 - tf.range(self.window)[None, :]
        past = tf.where((~causal)[:, None] & (past <= targets[:, None]), past - 1, past)
        valid = past >= tf.gather(self.starts, user)[:, None]
        if training:
            thinned = self.random.uniform([size, 1]) < self.settings.truncated
            share = tf.where(thinned, self.random.uniform([size, 1]) ** 3, 1.0 - self.settings.dropout)
            valid &= self.random.uniform([size, self.window]) < share
            valid &= self.random.uniform([size, 1]) >= self.settings.forgotten
        return tf.maximum(past, 0), valid

    def _query(self, past: Tensor, valid: Tensor, declared: Tensor, table: Tensor) -> Tensor:
        weight = tf.nn.softplus(self.recency)[None, :] * tf.cast(valid, tf.float32)
        place = tf.where(valid)
        watched = tf.gather(self.item, tf.gather_nd(past, place))
        total = spmm(place[:, 0], watched, tf.gather_nd(weight, place), [tf.shape(past)[0], self.n_items], table)
        mean = total / tf.sqrt(tf.maximum(tf.reduce_sum(weight, axis=1, keepdims=True), 1.0))
        query = tf.matmul(mean, self.mix) + tf.matmul(declared, self.preference_table)
        return tf.concat([query, tf.ones_like(query[:, :1])], axis=1)

    def _penalty(self) -> Tensor:
        dense = tf.reduce_sum(self.content_table**2) + tf.reduce_sum(self.preference_table**2)
        return (
            self.settings.penalty * tf.reduce_sum(self.rows**2) / self.n_items + self.settings.content_penalty * dense
        )

    def folded(self) -> dict[str, np.ndarray]:
        """The tables an app needs: those of `with_bias`, `recency` float32[window] (newest first), `mix` float32[d - 1, d - 1],
        `preference` float32[n_preferences, d - 1] and `content` float32[n_content, d - 1]. Items without a single rating get the
        vector of their content."""
        rated = self.rated.astype(np.float32)[:, None]
        items = self.rows.numpy() * rated + tf.sparse.sparse_dense_matmul(self.content, self.content_table).numpy()
        return {
            **with_bias(items, self.bias.numpy(), self.rated),
            "recency": tf.nn.softplus(self.recency).numpy(),
            "mix": self.mix.numpy(),
            "preference": self.preference_table.numpy(),
            "content": self.content_table.numpy(),
        }
