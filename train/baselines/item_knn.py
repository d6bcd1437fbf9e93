"""Item-based nearest neighbours, for ranking and for ratings."""

from dataclasses import replace

import numpy as np

from ..data.ratings import Ratings, histories
from .biases import fit_biases
from .fitted import Factory, Fitted, has_ratings, tuned
from .interactions import dense, item_products

SHRINK, NEIGHBOURS = 100.0, 40


def fit_item_knn(train: Ratings) -> Fitted:
    """Both sides; the number of neighbours that rank is tuned."""
    ranker = tuned(train, cosine_knn, (100, 50, 200, 400))
    return replace(ranker, predict=rating_knn(train).predict) if has_ratings(train) else ranker


def cosine_knn(train: Ratings) -> Factory:
    """From a number of neighbours: score_j = sum of cos(i, j) of 0/1 events over the user's i near j."""
    events, n_items = histories(train), len(train.items)
    cosine = item_products(events, n_items)
    norm = np.sqrt(np.maximum(np.diag(cosine), 1))
    cosine /= norm[:, None] * norm
    np.fill_diagonal(cosine, 0)

    def make(neighbours: float) -> Fitted:
        k = min(int(neighbours), n_items)
        near = np.where(cosine >= np.partition(cosine, n_items - k, axis=1)[:, [n_items - k]], cosine, 0)
        return Fitted(score=lambda users: dense(events, users, n_items) @ near.T)

    return make


def rating_knn(train: Ratings) -> Fitted:
    """b_ui + sum(s_ij * (r_uj - b_uj)) / sum(s_ij) over the nearest j the user rated (Koren 2010, eqs. 2-3).

    s_ij is the correlation of residuals over common raters, times n_ij / (n_ij + shrink); negative ones do not count.
    """
    biases, n_items = fit_biases(train), len(train.items)
    events = histories(replace(train, rating=train.rating - biases.predict(train.user, train.item)))
    square, common = item_products(events, n_items, 2, 0), item_products(events, n_items)
    similar = item_products(events, n_items, 1, 1) / np.sqrt(np.maximum(square * square.T, 1e-9))
    similar *= common / (common + SHRINK)
    np.fill_diagonal(similar, 0)

    def predict(user: np.ndarray, item: np.ndarray) -> np.ndarray:
        ratings = biases.predict(user, item)
        order = np.argsort(user, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(user[order])) + 1):
            known, residuals = events.items_of(user[rows[0]]), events.ratings_of(user[rows[0]])
            weight = np.maximum(similar[np.ix_(item[rows], known)], 0)
            if len(known) > NEIGHBOURS:
                weight *= weight >= np.partition(weight, -NEIGHBOURS, axis=1)[:, [-NEIGHBOURS]]
            ratings[rows] += weight @ residuals / np.maximum(weight.sum(axis=1), 1e-9)
        return ratings

    return Fitted(predict=predict)
