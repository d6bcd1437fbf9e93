"""The weights from items to items, in their best low rank: from the closed form, or from an SVD where that would not fit.

weights ~ history @ candidates.T         float64[n_items, r] each; the score of item j is the sum over the history's items i
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, svds

from .co_occurrence import Sums

# SciPy's linear operators, which its types do not describe, and what they do to a vector.
_Operator: TypeAlias = Any
Map: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Factors:
    """Item-to-item weights of low rank, by falling importance of the columns.

    Attributes:
        history, candidates: float64[n_items, r]; the first reads a history, the second is searched.
    """

    history: np.ndarray
    candidates: np.ndarray

    def rotated(self, seed: int = 0) -> "Factors":
        """The same weights in a basis turned at random, in which no column is longer than the others: a row that is quantized
        with one scale loses least."""
        rank = self.history.shape[1]
        turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(rank, rank)))[0]
        return Factors(self.history @ turn, self.candidates @ turn)


@dataclass(frozen=True)
class Solution:
    """EASE's weights (Steck 2019, eq. 8) before they are cut to a rank.

    B minimises |T - S B|^2 + ridge |B|^2 with a zero diagonal, for S'S = `gram` and S'T = `cross`.

    Attributes:
        lower: float64[n_items, n_items], L with L L' = gram + ridge.
        weights: float64[n_items, n_items], B.
    """

    lower: np.ndarray
    weights: np.ndarray

    def cut(self, rank: int) -> Factors:
        """Of all matrices of rank r, B V V' is nearest to B in what it predicts, where V are the leading right singular vectors of
        L'B."""
        lower, weights, n = self.lower, self.weights, len(self.weights)
        right = leading_right_vectors(
            lambda x: lower.T @ (weights @ x), lambda y: weights.T @ (lower @ y), (n, n), rank
        )
        return balanced(weights @ right, right)


def solved(sums: Sums, ridge: float) -> Solution:
    """The closed form of these sums."""
    n = len(sums.gram)
    lower = linalg.cholesky(sums.gram + ridge * np.eye(n), lower=True, check_finite=False)
    inverse = linalg.cho_solve((lower, True), np.eye(n), check_finite=False)
    weights = inverse @ sums.cross
    weights -= inverse * (np.diag(weights) / np.diag(inverse))[None]
    return Solution(lower, weights)


def whole_weights(gram: np.ndarray, ridge: float) -> np.ndarray:
    """float64[n_items, n_items]: EASE's weights, not cut to any rank; the diagonal is 0."""
    inverse = linalg.inv(gram + ridge * np.eye(len(gram)), overwrite_a=True, check_finite=False)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def svd_factors(events: sparse.csr_matrix, ridge: float, rank: int) -> Factors:
    """The same model from the truncated SVD of the interactions, without any matrix of items by items.

    Off its diagonal EASE's B is (1 / ridge) V F V' D with X = U s V', F = s^2 / (s^2 + ridge) and D = 1 / diag(P), P the inverse
    of X'X + ridge; items of the history are left out of the answer, so the diagonal does not matter. D is computed in the same
    rank: diag(P) = (1 - sum_k F_k V_ik^2) / ridge.
    """
    smaller = min(events.get_shape())
    values, right = _leading(events, min(rank, smaller - 1), smaller)
    kept = values**2 / (values**2 + ridge)
    diagonal = 1 / np.maximum(1 - (right**2 * kept).sum(axis=1), 1e-6)
    return balanced(right * kept, right * diagonal[:, None])


def leading_right_vectors(multiply: Map, transposed: Map, shape: tuple[int, int], rank: int) -> np.ndarray:
    """float64[n, rank]: leading right singular vectors of a linear map, most important first; all of them where `rank` is n."""
    if rank >= min(shape) - 1:
        dense = multiply(np.eye(shape[1]))
        return np.linalg.svd(dense, full_matrices=False)[2][:rank].T
    make: _Operator = LinearOperator
    operator = make(shape, matvec=multiply, rmatvec=transposed, matmat=multiply, rmatmat=transposed, dtype=float)
    return _leading(operator, rank, min(shape))[1]


def _leading(operator: _Operator, rank: int, smaller: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading singular values float64[rank] and right vectors float64[n, rank], largest first.

    The iteration starts at a fixed vector, so that the result is a function of the operator.
    """
    found: _Operator = svds(operator, k=rank, v0=np.ones(smaller), solver="arpack")
    _, values, rows = found
    order = np.argsort(-values)
    return values[order], rows[order].T


def balanced(history: np.ndarray, candidates: np.ndarray) -> Factors:
    """Factors, both sides with columns of equal length, signs fixed by the largest element of each column of `candidates`."""
    left, right = np.linalg.norm(history, axis=0), np.linalg.norm(candidates, axis=0)
    signs = np.sign(candidates[np.abs(candidates).argmax(axis=0), np.arange(candidates.shape[1])])
    scale = np.sqrt(np.maximum(left, 1e-12) / np.maximum(right, 1e-12)) * np.where(signs == 0, 1, signs)
    return Factors(history / scale, candidates * scale)
