"""Mean, user and item biases."""

from dataclasses import dataclass

import numpy as np

from ..data.ratings import Ratings
from .fitted import Fitted, has_ratings

BIAS_REG, BIAS_SWEEPS = 5.0, 20


@dataclass(frozen=True)
class Biases:
    """Rating = mean + user float64[n_users] + item float64[n_items]; 0 for what has no rating. `reg` in ratings."""

    mean: float
    user: np.ndarray
    item: np.ndarray
    reg: float

    def predict(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Ratings float32[m] of pairs."""
        return (self.mean + self.user[user] + self.item[item]).astype(np.float32)

    def fold_in(self, items: np.ndarray, ratings: np.ndarray) -> float:
        """Bias of a new user who gave `ratings` float[m] to `items` int[m]: sum(r - mean - b_i) / (reg + m)."""
        return float((ratings - self.mean - self.item[items]).sum() / (self.reg + len(items)))


def fit_biases(train: Ratings, reg: float = BIAS_REG) -> Biases:
    """Minimise sum((r - mean - b_u - b_i)^2) + reg * (|b_u|^2 + |b_i|^2) by alternating steps (Koren et al. 2009)."""
    mean = float(train.rating.mean(dtype=np.float64))
    residual = train.rating.astype(np.float64) - mean
    per_user = reg + np.bincount(train.user, minlength=len(train.users))
    per_item = reg + np.bincount(train.item, minlength=len(train.items))
    user, item = np.zeros(len(per_user)), np.zeros(len(per_item))
    for _ in range(BIAS_SWEEPS):
        item = np.bincount(train.item, residual - user[train.user], minlength=len(item)) / per_item
        user = np.bincount(train.user, residual - item[train.item], minlength=len(user)) / per_user
    return Biases(mean, user, item, reg)


def fit_bias_model(train: Ratings) -> Fitted:
    """Predicts ratings only."""
    return Fitted(predict=fit_biases(train).predict if has_ratings(train) else None)
