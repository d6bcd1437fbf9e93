"""Matrix products that trained models and their exports share."""

from collections.abc import Sequence

import numpy as np

from .data.item_content import Indicators
from .tf import Tensor, tf


def sparse(matrix: Indicators) -> Tensor:
    """A tf.SparseTensor of the indicators."""
    indices = np.stack([matrix.row, matrix.column], axis=1)
    return tf.SparseTensor(
        tf.constant(indices, tf.int64), tf.constant(matrix.value), (matrix.n_rows, len(matrix.tokens))
    )


def spmm(row: Tensor, column: Tensor, value: Tensor, shape: Sequence[Tensor], table: Tensor) -> Tensor:
    """Product of the sparse matrix with `value` at (row, column) and a dense table: float32[shape[0], d]."""
    indices = tf.stack([tf.cast(row, tf.int64), tf.cast(column, tf.int64)], axis=1)
    return tf.sparse.sparse_dense_matmul(tf.SparseTensor(indices, value, tf.cast(tf.stack(shape), tf.int64)), table)


def linear(values: Tensor, table: Tensor) -> Tensor:
    """Product over the last axis, float32[..., n] by float32[n, d], without the rank-3 matmul of a phone's single query."""
    if values.shape.rank > 1:
        return tf.matmul(values, table)
    return tf.reshape(tf.matmul(tf.reshape(values, [1, values.shape[0]]), table), [-1])
