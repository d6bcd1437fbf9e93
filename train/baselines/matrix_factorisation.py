"""Matrix factorisation by alternating least squares, for ratings and for implicit data."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..data.ratings import Ratings, histories
from .biases import BIAS_REG
from .fitted import Factory, Fitted, has_ratings, tuned

# Bias and factors together: OpenBLAS threads systems of over 16 unknowns, up to 20 times slower on a busy machine.
WIDTH, SWEEPS, ALPHA = 16, 10, 4.0

# From indices into the other side's table and ratings to a row's normal equations: matrix [w, w] and right side [w].
Equation = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def fit_matrix_factorisation(train: Ratings) -> Fitted:
    """Both sides; each side's ridge weight is tuned."""
    ranker = tuned(train, implicit_als, (30.0, 5.0, 15.0, 60.0))
    if not has_ratings(train):
        return ranker
    return replace(ranker, predict=tuned(train, rating_als, (15.0, 5.0, 10.0, 20.0)).predict)


def rating_als(train: Ratings) -> Factory:
    """From the factors' ridge weight: mean + b_u + b_i + p_u . q_i (Koren et al. 2009); column 0 is the bias."""
    mean = float(train.rating.mean(dtype=np.float64))

    def make(reg: float) -> Fitted:
        ridge = np.diag([BIAS_REG] + [reg] * (WIDTH - 1))

        def equations(other: np.ndarray) -> Equation:
            x = np.column_stack([np.ones(len(other)), other[:, 1:]])
            return lambda rows, ratings: (x[rows].T @ x[rows] + ridge, x[rows].T @ (ratings - mean - other[rows, 0]))

        users, items = _als(train, equations)

        def predict(user: np.ndarray, item: np.ndarray) -> np.ndarray:
            p, q = users[user], items[item]
            return (mean + p[:, 0] + q[:, 0] + (p[:, 1:] * q[:, 1:]).sum(axis=1)).astype(np.float32)

        return Fitted(predict=predict)

    return make


def implicit_als(train: Ratings) -> Factory:
    """From a ridge weight: minimise sum(c_ui * (seen_ui - x_u . y_i)^2), c = 1 + alpha * n_ui (Hu et al. 2008)."""

    def make(reg: float) -> Fitted:
        def equations(y: np.ndarray) -> Equation:
            gram = y.T @ y + reg * np.eye(WIDTH)
            return lambda rows, _: (
                gram + ALPHA * y[rows].T @ y[rows],
                ALPHA * y[rows].sum(axis=0) + y[np.unique(rows)].sum(axis=0),
            )

        users, items = _als(train, equations)
        return Fitted(score=lambda rows: (users[rows] @ items.T).astype(np.float32))

    return make


def _als(train: Ratings, equations: Callable[[np.ndarray], Equation]) -> list[np.ndarray]:
    """Alternating least squares: float64[n_users, w] and float64[n_items, w]; rows without events are 0."""
    swapped = replace(train, user=train.item, item=train.user, users=train.items, items=train.users)
    sides = histories(train), histories(swapped)
    tables = [np.empty(0), np.random.default_rng(0).normal(0, 0.1, (len(train.items), WIDTH))]
    for step in range(2 * SWEEPS):
        events, equation = sides[step % 2], equations(tables[1 - step % 2])
        tables[step % 2] = np.zeros((len(events.offsets) - 1, WIDTH))
        for row in np.flatnonzero(np.diff(events.offsets)):
            tables[step % 2][row] = np.linalg.solve(*equation(events.items_of(row), events.ratings_of(row)))
    return tables
