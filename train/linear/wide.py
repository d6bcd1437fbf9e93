"""The closed form of a catalogue that is wider than its interactions are many rows: EASE without a matrix of items by items.

With K = (XX' + ridge)^-1, as wide as there are users, the inverse of X'X + ridge is (1 - X'KX) / ridge (Woodbury), and so off its
diagonal EASE's B is X'KX D / ridge with D = 1 / diag of that inverse: products with sparse X and one matrix of users by users.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, sparse

from .item_weights import Factors, balanced, leading_right_vectors


@dataclass(frozen=True)
class WideSolution:
    """EASE's weights as a product; the same as `Solution` of X'X on both sides.

    Attributes:
        rows: float64[n_rows, n_items], X: the users, and what else is a row.
        ridge: as in `Solution`.
    """

    rows: sparse.csr_matrix
    ridge: float

    @cached_property
    def _inverse(self) -> np.ndarray:
        """K, float64[n_rows, n_rows]."""
        square = (self.rows @ self.rows.T).toarray()
        square[np.diag_indices_from(square)] += self.ridge
        return linalg.inv(square, overwrite_a=True, check_finite=False)

    @cached_property
    def _explained(self) -> np.ndarray:
        """diag(X'KX), float64[n_items], of which each is below 1."""
        return np.asarray(self.rows.multiply(self._inverse @ self.rows).sum(axis=0)).reshape(-1)

    @cached_property
    def _scale(self) -> np.ndarray:
        """D / ridge, float64[n_items]."""
        return 1 / np.maximum(1 - self._explained, 1e-12)

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """B @ vectors, float64[n_items, ...]."""
        scaled = _by_row(self._scale, vectors)
        return self.rows.T @ (self._inverse @ (self.rows @ scaled)) - _by_row(self._explained, scaled)

    def transposed_times(self, vectors: np.ndarray) -> np.ndarray:
        """B' @ vectors, float64[n_items, ...]."""
        smooth = self.rows.T @ (self._inverse @ (self.rows @ vectors))
        return _by_row(self._scale, smooth - _by_row(self._explained, vectors))

    def read(self, histories: sparse.csr_matrix) -> np.ndarray:
        """histories @ B for histories float64[n, n_items]: float64[n, n_items]."""
        return self.transposed_times(histories.T.toarray()).T

    def cut(self, rank: int) -> Factors:
        """The best low rank, as `Solution.cut`: in its place of L'B stands [X; sqrt(ridge)] B, which has the same Gram matrix."""
        n_rows, n_items = self.rows.get_shape()
        root = np.sqrt(self.ridge)

        def forward(x: np.ndarray) -> np.ndarray:
            product = self.times(x)
            return np.concatenate([self.rows @ product, root * product])

        def backward(y: np.ndarray) -> np.ndarray:
            return self.transposed_times(self.rows.T @ y[:n_rows] + root * y[n_rows:])

        right = leading_right_vectors(forward, backward, (n_rows + n_items, n_items), rank)
        return balanced(self.times(right), right)


def _by_row(factor: np.ndarray, table: np.ndarray) -> np.ndarray:
    return factor.reshape(-1, *[1] * (table.ndim - 1)) * table
