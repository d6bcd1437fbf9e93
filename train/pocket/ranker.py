"""The pocket ranker: ratings predicted from a rated history and declared preferences, without a user id.

    rating = mu + b_i + c_i.l_c + g.l_p + a * sum(r_j - m_j) / (|N| + 5) + p.q
    p = (|N| + 1)^-1/2 * sum over the history of (Y_j + (r_j - m_j) X_j) + g W_p
    q = Q_i + c_i W_c + |R_i|^-1/2 * sum over the item's raters of (r_vi - m_v) Z_v

m_j and m_v are damped means, c_i the item's content, g the declared preferences. It is SVD++ (Koren 2008) with the user's own
factors replaced by preferences. The same construction on the item side, a sum over the raters of an item, is folded into one row
per item when the model is exported. While training, the target rating itself is left out of both sums.
"""

from dataclasses import dataclass

import numpy as np

from ..data.item_content import Indicators
from ..data.ratings import Ratings, histories
from ..products import sparse, spmm
from ..tf import Tensor, tf
from ..tfrs import tfrs

# Damping of means, of the history's mean residual and of its length, in ratings; the order of magnitude of Koren's shrinkage.
MEAN_DAMPING, RESIDUAL_DAMPING, HISTORY_DAMPING = 5.0, 5.0, 1.0
# Raters that are summed over for an item; more would change the sum little and cost much on large data.
MOST_RATERS = 1000


@dataclass(frozen=True)
class RankingSettings:
    """Hyperparameters; chosen on validation carved from the training part.

    Attributes:
        dimension: number of factors.
        epochs, batch, rate: passes, ratings per step, Adam's first learning rate (cosine decay to a hundredth).
        item_penalty, history_penalty, rater_penalty, bias_penalty: weight of the squared length of a sample's rows, by table.
        content_penalty: weight of the squared length of the content and preference tables.
        truncated: share of users whose history is thinned at random in each step, so that short histories are learnt too.
        undeclared: share of users whose preferences are hidden in each step.
    """

    dimension: int = 24
    epochs: int = 7
    batch: int = 1024
    rate: float = 4e-3
    item_penalty: float = 0.15
    history_penalty: float = 0.5
    rater_penalty: float = 0.5
    bias_penalty: float = 0.01
    content_penalty: float = 5e-4
    truncated: float = 0.3
    undeclared: float = 0.1


def damped_means(index: np.ndarray, rating: np.ndarray, n: int) -> np.ndarray:
    """float32[n]: mean rating of each index, pulled towards the overall mean by `MEAN_DAMPING` ratings."""
    mean = rating.mean()
    counts = np.bincount(index, minlength=n)
    return (mean + np.bincount(index, rating - mean, n) / (counts + MEAN_DAMPING)).astype(np.float32)


class PocketRanking(tfrs.Model):
    """Trains on batches of row numbers of `train`, sorted by user and time."""

    def __init__(
        self, train: Ratings, content: Indicators, preferences: Indicators, settings: RankingSettings, seed: int
    ) -> None:
        super().__init__()
        self.settings, self.n_items, self.n_users = settings, len(train.items), len(train.users)
        self.task = tfrs.tasks.Ranking(
            loss=tf.keras.losses.MeanSquaredError(), metrics=[tf.keras.metrics.RootMeanSquaredError(name="rmse")]
        )
        self.random = tf.random.Generator.from_seed(seed)
        self.item_means = damped_means(train.item, train.rating, self.n_items)
        self.user_means = damped_means(train.user, train.rating, self.n_users)
        self.mean = float(train.rating.mean())
        self._remember(train, content, preferences, seed)
        self._make_tables(len(content.tokens), len(preferences.tokens))

    def _remember(self, train: Ratings, content: Indicators, preferences: Indicators, seed: int) -> None:
        seen = histories(train)
        user, item, rating = seen.users(), seen.item, seen.rating
        self.user, self.item, self.rating = tf.constant(user), tf.constant(item), tf.constant(rating)
        self.item_residual = tf.constant(rating - self.item_means[item])
        self.user_residual = tf.constant(rating - self.user_means[user])
        self.starts = tf.constant(seen.offsets, tf.int32)
        self.raters = Raters(item, self.n_items, seed)
        self.content, self.preferences = sparse(content), tf.constant(preferences.dense())

    def _make_tables(self, n_content: int, n_preferences: int) -> None:
        def table(rows: int) -> Tensor:
            return tf.Variable(self.random.normal([rows, self.settings.dimension], stddev=0.01))

        self.q, self.x, self.y, self.z = (
            table(rows) for rows in (self.n_items, self.n_items, self.n_items, self.n_users)
        )
        self.content_table, self.preference_table = table(n_content), table(n_preferences)
        self.bias, self.content_bias = tf.Variable(tf.zeros([self.n_items])), tf.Variable(tf.zeros([n_content]))
        self.preference_bias, self.residual_scale = tf.Variable(tf.zeros([n_preferences])), tf.Variable(0.8)

    def compute_loss(self, rows: Tensor, training: bool = False) -> Tensor:
        rating = tf.gather(self.rating, rows)
        predicted = self._predict(rows, thin=training)
        loss = self.task(labels=rating[:, None], predictions=predicted[:, None])
        return loss + self._penalty(rows) if training else loss

    def _predict(self, rows: Tensor, thin: bool) -> Tensor:
        user, item = tf.gather(self.user, rows), tf.gather(self.item, rows)
        users, user_of = tf.unique(user)
        items, item_of = tf.unique(item)
        declared = tf.gather(self.preferences, users)
        if thin:
            declared *= tf.cast(self.random.uniform([tf.shape(users)[0], 1]) > self.settings.undeclared, tf.float32)
        p, residual = self._history(rows, users, user_of, item, thin)
        p += tf.gather(tf.matmul(declared, self.preference_table), user_of)
        content = tf.gather(tf.sparse.sparse_dense_matmul(self.content, self.content_table), item)
        q = tf.gather(self.q, item) + content + self._rater_sum(rows, items, item_of, user)
        biases = tf.gather(self.bias + _matvec(self.content, self.content_bias), item)
        biases += tf.gather(tf.linalg.matvec(declared, self.preference_bias), user_of)
        return self.mean + biases + self.residual_scale * residual + tf.reduce_sum(p * q, axis=1)

    def _history(self, rows: Tensor, users: Tensor, user_of: Tensor, item: Tensor, thin: bool) -> tuple[Tensor, Tensor]:
        """The user's side of each row, without the row itself: float32[b, d] and the damped mean residual float32[b]."""
        kept = self._kept() if thin else tf.ones_like(self.rating, tf.bool)
        ragged = tf.ragged.range(tf.gather(self.starts, users), tf.gather(self.starts, users + 1))
        mask = tf.gather(kept, ragged.flat_values)
        past, owner = tf.boolean_mask(ragged.flat_values, mask), tf.boolean_mask(ragged.value_rowids(), mask)
        shape = [tf.shape(users)[0], self.n_items]
        residual, watched = tf.gather(self.item_residual, past), tf.gather(self.item, past)
        total = spmm(owner, watched, tf.ones_like(residual), shape, self.y) + spmm(
            owner, watched, residual, shape, self.x
        )
        count = tf.math.unsorted_segment_sum(tf.ones_like(residual), owner, shape[0])
        residuals = tf.math.unsorted_segment_sum(residual, owner, shape[0])
        own, mine = tf.cast(tf.gather(kept, rows), tf.float32), tf.gather(self.item_residual, rows)
        count = tf.gather(count, user_of) - own
        row = tf.gather(self.y, item) + mine[:, None] * tf.gather(self.x, item)
        total = tf.gather(total, user_of) - own[:, None] * row
        residuals = tf.gather(residuals, user_of) - own * mine
        return total / tf.sqrt(count + HISTORY_DAMPING)[:, None], residuals / (count + RESIDUAL_DAMPING)

    def _kept(self) -> Tensor:
        """bool[n]: which training rows may be seen as history in this step; some users keep a random share only."""
        thinned = self.random.uniform([self.n_users]) < self.settings.truncated
        share = tf.where(thinned, self.random.uniform([self.n_users]) ** 2, 1.0)
        return self.random.uniform(tf.shape(self.rating)) < tf.gather(share, self.user)

    def _rater_sum(self, rows: Tensor, items: Tensor, item_of: Tensor, user: Tensor) -> Tensor:
        """The raters' side of each row, without the row itself where it was among those summed: float32[b, d]."""
        past, owner = self.raters.of(items)
        total = spmm(
            owner,
            tf.gather(self.user, past),
            tf.gather(self.user_residual, past),
            [tf.shape(items)[0], self.n_users],
            self.z,
        )
        own = self.raters.is_listed(rows)
        count = tf.gather(self.raters.count(items), item_of) - own
        mine = (own * tf.gather(self.user_residual, rows))[:, None] * tf.gather(self.z, user)
        return (tf.gather(total, item_of) - mine) / tf.sqrt(tf.maximum(count, 1.0))[:, None]

    def _penalty(self, rows: Tensor) -> Tensor:
        s, item, user = self.settings, tf.gather(self.item, rows), tf.gather(self.user, rows)
        penalty = s.item_penalty * _mean_square(self.q, item) + s.rater_penalty * _mean_square(self.z, user)
        penalty += s.history_penalty * (_mean_square(self.x, item) + _mean_square(self.y, item))
        penalty += s.bias_penalty * tf.reduce_mean(tf.gather(self.bias, item) ** 2)
        dense = (self.content_table, self.preference_table, self.content_bias, self.preference_bias)
        return penalty + s.content_penalty * tf.add_n([tf.reduce_sum(table**2) for table in dense])

    def folded(self) -> dict[str, np.ndarray]:
        """The tables an app needs, items as rows and a last row of zeros for unknown and padding.

        Returns:
            `history_plain`, `history_rated`, `item` float32[n_items + 1, d]; `item_mean`, `item_bias` float32[n_items + 1];
            `preference` float32[n_preferences, d]; `preference_bias` float32[n_preferences]; `residual_scale`, `mean` float32[].
            Items without a single rating keep the part that comes from their content.
        """
        past, owner = self.raters.of(tf.range(self.n_items))
        shape = [self.n_items, self.n_users]
        raters = spmm(owner, tf.gather(self.user, past), tf.gather(self.user_residual, past), shape, self.z)
        count = self.raters.count(tf.range(self.n_items))
        rated = tf.cast(count > 0, tf.float32)
        item = self.q * rated[:, None] + tf.sparse.sparse_dense_matmul(self.content, self.content_table)
        item += raters / tf.sqrt(tf.maximum(count, 1.0))[:, None]
        return {
            "history_plain": _padded((self.y * rated[:, None]).numpy()),
            "history_rated": _padded((self.x * rated[:, None]).numpy()),
            "item": _padded(item.numpy()),
            "item_mean": _padded(self.item_means),
            "item_bias": _padded((self.bias + _matvec(self.content, self.content_bias)).numpy()),
            "preference": self.preference_table.numpy(),
            "preference_bias": self.preference_bias.numpy(),
            "residual_scale": self.residual_scale.numpy(),
            "mean": np.array(self.mean, np.float32),
        }


class Raters:
    """Training rows by item, at most `MOST_RATERS` of each, drawn once."""

    def __init__(self, item: np.ndarray, n_items: int, seed: int) -> None:
        shuffled = np.random.default_rng(seed).permutation(len(item))
        order = shuffled[np.argsort(item[shuffled], kind="stable")]
        counts = np.bincount(item, minlength=n_items)
        position = np.arange(len(order)) - (np.cumsum(counts) - counts)[item[order]]
        order = order[position < MOST_RATERS]
        counts = np.minimum(counts, MOST_RATERS)
        listed = np.zeros(len(item), np.float32)
        listed[order] = 1
        self._rows, self._listed = tf.constant(order, tf.int32), tf.constant(listed)
        self._starts = tf.constant(np.concatenate([[0], np.cumsum(counts)]), tf.int32)

    def of(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of `items` int32[b], flat, and the position in `items` each belongs to."""
        ragged = tf.ragged.range(tf.gather(self._starts, items), tf.gather(self._starts, items + 1))
        return tf.gather(self._rows, ragged.flat_values), ragged.value_rowids()

    def count(self, items: Tensor) -> Tensor:
        """float32[b]: how many rows `of` gives for each."""
        return tf.cast(tf.gather(self._starts, items + 1) - tf.gather(self._starts, items), tf.float32)

    def is_listed(self, rows: Tensor) -> Tensor:
        """float32[b]: 1 where a training row is among those kept."""
        return tf.gather(self._listed, rows)


def _mean_square(table: Tensor, index: Tensor) -> Tensor:
    """Mean squared length of the rows of `table` at `index`: float32[]."""
    return tf.reduce_mean(tf.reduce_sum(tf.gather(table, index) ** 2, axis=-1))


def _padded(table: np.ndarray) -> np.ndarray:
    """float32[n + 1, ...]: the table and a last row of zeros."""
    return np.concatenate([table, np.zeros_like(table[:1])]).astype(np.float32)


def _matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    return tf.sparse.sparse_dense_matmul(matrix, vector[:, None])[:, 0]
