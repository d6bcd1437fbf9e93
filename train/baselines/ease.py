"""EASE, a linear item-item model with a closed form."""

import numpy as np

from ..data.ratings import Ratings, histories
from .fitted import Factory, Fitted, tuned
from .interactions import dense, item_products


def fit_ease(train: Ratings) -> Fitted:
    """Ranks only; the ridge weight is tuned."""
    return tuned(train, ease, (500.0, 100.0, 200.0, 1000.0))


def ease(train: Ratings) -> Factory:
    """From a ridge weight: P = inv(X'X + reg I), B_ij = -P_ij / P_jj, diagonal 0, score = X B (Steck 2019, eq. 8)."""
    events, n_items = histories(train), len(train.items)
    gram = item_products(events, n_items).astype(np.float64)

    def make(reg: float) -> Fitted:
        inverse = np.linalg.inv(gram + np.diag(np.full(n_items, reg)))
        weights = (inverse / -np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(weights, 0)
        return Fitted(score=lambda users: dense(events, users, n_items) @ weights)

    return make
