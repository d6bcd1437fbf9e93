"""Reference recommenders a trained model has to beat; NumPy only. The test part chooses nothing."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import pick
from ..core.metrics import retrieval_quality, rmse
from ..core.queries.histories import Histories
from .data.ratings import Ratings, histories, split_ratings

# At 20,000 items one float64[n_items, n_items] takes 3.2 GB, and inverting it about 16 GB.
MAX_SQUARE_ITEMS = 20_000
USER_BLOCK = 1024
TUNING_USERS = 2_000  # bounds the time that ranking takes on large data
BIAS_REG, BIAS_SWEEPS = 5.0, 20
KNN_SHRINK, KNN_NEIGHBOURS = 100.0, 40
# Bias and factors together: OpenBLAS threads systems of over 16 unknowns, up to 20 times slower on a busy machine.
ALS_WIDTH, ALS_SWEEPS, ALS_ALPHA = 16, 10, 4.0


@dataclass(frozen=True)
class Fitted:
    """What a baseline learned; the side it does not offer is None.

    Attributes:
        score: users int64[b] to float32[b, n_items]; larger is better.
        predict: user int32[m] and item int32[m] to float32[m], in stars, unclipped.
    """

    score: Callable[[np.ndarray], np.ndarray] | None = None
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Baseline:
    """One reference model.

    Attributes:
        source: publication its formulas come from.
        fit: training ratings to the fitted model; deterministic. On implicit data nothing predicts ratings.
        max_items: largest catalogue it is fitted on.
    """

    name: str
    source: str
    fit: Callable[[Ratings], Fitted]
    max_items: int | None = None


def _quality(fitted: Fitted, train: Ratings, test: Ratings) -> dict[str, float]:
    """What `fitted` offers of `rmse` (predictions clipped to the training range) and the retrieval metrics."""
    found = {}
    if fitted.predict is not None:
        stars = np.clip(fitted.predict(test.user, test.item), train.rating.min(), train.rating.max())
        found["rmse"] = rmse(stars, test.rating)
    if fitted.score is not None:
        found |= retrieval_quality(fitted.score, histories(train), histories(test))
    return found


def _tuned(train: Ratings, build: Callable[[Ratings], Callable[[float], Fitted]], grid: tuple[float, ...]) -> Fitted:
    """`build(train)` at the value of `grid` that does best on a random fifth of `train`; its first below 3 ratings."""

    def best() -> float:
        kept, carved = split_ratings(train, "random", 0)
        users = np.random.default_rng(0).permutation(np.unique(carved.user))[:TUNING_USERS]
        carved = carved.take(np.flatnonzero(np.isin(carved.user, users)))
        make = build(kept)
        found = [_quality(make(value), kept, carved) for value in grid]
        return grid[int(np.argmax([row.get("ndcg_at_10", -row.get("rmse", 0.0)) for row in found]))]

    return build(train)(best() if len(train) > 2 else grid[0])


def _has_ratings(train: Ratings) -> bool:
    return not train.is_implicit and bool((train.rating != train.rating[0]).any())


def _dense(events: Histories, users: np.ndarray, n_items: int, power: int = 0) -> np.ndarray:
    """float32[b, n_items]: each user's ratings to `power`, so 1 at power 0; 0 where there is no event."""
    block = np.zeros((len(users), n_items), np.float32)
    for row, user in enumerate(users):
        block[row, events.items_of(user)] = events.ratings_of(user) ** power
    return block


def _products(events: Histories, n_items: int, left: int = 0, right: int = 0) -> np.ndarray:
    """float32[n_items, n_items]: sum of r_ui**left * r_uj**right over the users with both items."""
    total = np.zeros((n_items, n_items), np.float32)
    n_users = len(events.offsets) - 1
    for start in range(0, n_users, USER_BLOCK):
        users = np.arange(start, min(start + USER_BLOCK, n_users))
        total += _dense(events, users, n_items, left).T @ _dense(events, users, n_items, right)
    return total


def _popularity(train: Ratings) -> Fitted:
    counts = np.bincount(train.item, minlength=len(train.items)).astype(np.float32)
    return Fitted(score=lambda users: np.tile(counts, (len(users), 1)))


@dataclass(frozen=True)
class Biases:
    """Rating = mean + user float64[n_users] + item float64[n_items], in stars; 0 where unrated. `reg` in ratings."""

    mean: float
    user: np.ndarray
    item: np.ndarray
    reg: float

    def predict(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32[m], in stars."""
        return (self.mean + self.user[user] + self.item[item]).astype(np.float32)

    def fold_in(self, items: np.ndarray, ratings: np.ndarray) -> float:
        """Bias of a user who gave `ratings` float[m] to `items` int[m]: sum(r - mean - b_i) / (reg + m)."""
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


def fold_in_bias(train: Ratings, user_items: np.ndarray, user_ratings: np.ndarray, reg: float = BIAS_REG) -> float:
    """Bias, in stars, of a user outside `train` who gave `user_ratings` float32[m] to `user_items` int32[m].

    For many users, call `fit_biases` once and its `fold_in` for each.
    """
    return fit_biases(train, reg).fold_in(user_items, user_ratings)


def _bias(train: Ratings) -> Fitted:
    return Fitted(predict=fit_biases(train).predict if _has_ratings(train) else None)


def _cosine_knn(train: Ratings) -> Callable[[float], Fitted]:
    """From a number of neighbours: score_j = sum of cos(i, j) of 0/1 events over the user's i near j."""
    events, n_items = histories(train), len(train.items)
    cosine = _products(events, n_items)
    norm = np.sqrt(np.maximum(np.diag(cosine), 1))
    cosine /= norm[:, None] * norm
    np.fill_diagonal(cosine, 0)

    def make(neighbours: float) -> Fitted:
        k = min(int(neighbours), n_items)
        near = np.where(cosine >= np.partition(cosine, n_items - k, axis=1)[:, [n_items - k]], cosine, 0)
        return Fitted(score=lambda users: _dense(events, users, n_items) @ near.T)

    return make


def _rating_knn(train: Ratings) -> Fitted:
    """b_ui + sum(s_ij * (r_uj - b_uj)) / sum(s_ij) over the nearest j the user rated (Koren 2010, eqs. 2-3).

    s_ij is the correlation of residuals over common raters, times n_ij / (n_ij + shrink); negative ones do not count.
    """
    biases, n_items = fit_biases(train), len(train.items)
    events = histories(replace(train, rating=train.rating - biases.predict(train.user, train.item)))
    square, common = _products(events, n_items, 2, 0), _products(events, n_items)
    similar = _products(events, n_items, 1, 1) / np.sqrt(np.maximum(square * square.T, 1e-9))
    similar *= common / (common + KNN_SHRINK)
    np.fill_diagonal(similar, 0)

    def predict(user: np.ndarray, item: np.ndarray) -> np.ndarray:
        stars = biases.predict(user, item)
        order = np.argsort(user, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(user[order])) + 1):
            known, residuals = events.items_of(user[rows[0]]), events.ratings_of(user[rows[0]])
            weight = np.maximum(similar[np.ix_(item[rows], known)], 0)
            if len(known) > KNN_NEIGHBOURS:
                weight *= weight >= np.partition(weight, -KNN_NEIGHBOURS, axis=1)[:, [-KNN_NEIGHBOURS]]
            stars[rows] += weight @ residuals / np.maximum(weight.sum(axis=1), 1e-9)
        return stars

    return Fitted(predict=predict)


def _item_knn(train: Ratings) -> Fitted:
    ranker = _tuned(train, _cosine_knn, (100, 50, 200, 400))
    return replace(ranker, predict=_rating_knn(train).predict) if _has_ratings(train) else ranker


def _ease_at(train: Ratings) -> Callable[[float], Fitted]:
    """From a ridge weight: P = inv(X'X + reg I), B_ij = -P_ij / P_jj, diagonal 0, score = X B (Steck 2019, eq. 8)."""
    events, n_items = histories(train), len(train.items)
    gram = _products(events, n_items).astype(np.float64)

    def make(reg: float) -> Fitted:
        inverse = np.linalg.inv(gram + np.diag(np.full(n_items, reg)))
        weights = (inverse / -np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(weights, 0)
        return Fitted(score=lambda users: _dense(events, users, n_items) @ weights)

    return make


def _ease(train: Ratings) -> Fitted:
    return _tuned(train, _ease_at, (500.0, 100.0, 200.0, 1000.0))


def _als(train: Ratings, equations: Callable) -> list[np.ndarray]:
    """Alternating least squares: float64[n_users, w] and float64[n_items, w]; rows without events are 0.

    `equations(one side's table)(indices into it, ratings)`: a row's normal equations (matrix, right side) opposite.
    """
    swapped = replace(train, user=train.item, item=train.user, users=train.items, items=train.users)
    sides = histories(train), histories(swapped)
    tables = [np.empty(0), np.random.default_rng(0).normal(0, 0.1, (len(train.items), ALS_WIDTH))]
    for step in range(2 * ALS_SWEEPS):
        events, equation = sides[step % 2], equations(tables[1 - step % 2])
        tables[step % 2] = np.zeros((len(events.offsets) - 1, ALS_WIDTH))
        for row in np.flatnonzero(np.diff(events.offsets)):
            tables[step % 2][row] = np.linalg.solve(*equation(events.items_of(row), events.ratings_of(row)))
    return tables


def _rating_als(train: Ratings) -> Callable[[float], Fitted]:
    """From the factors' ridge weight: mean + b_u + b_i + p_u . q_i (Koren et al. 2009); column 0 is the bias."""
    mean = float(train.rating.mean(dtype=np.float64))

    def make(reg: float) -> Fitted:
        ridge = np.diag([BIAS_REG] + [reg] * (ALS_WIDTH - 1))

        def equations(other: np.ndarray) -> Callable:
            x = np.column_stack([np.ones(len(other)), other[:, 1:]])
            return lambda rows, stars: (x[rows].T @ x[rows] + ridge, x[rows].T @ (stars - mean - other[rows, 0]))

        users, items = _als(train, equations)

        def predict(user: np.ndarray, item: np.ndarray) -> np.ndarray:
            p, q = users[user], items[item]
            return (mean + p[:, 0] + q[:, 0] + (p[:, 1:] * q[:, 1:]).sum(axis=1)).astype(np.float32)

        return Fitted(predict=predict)

    return make


def _implicit_als(train: Ratings) -> Callable[[float], Fitted]:
    """From a ridge weight: minimise sum(c_ui * (seen_ui - x_u . y_i)^2), c = 1 + alpha * n_ui (Hu et al. 2008)."""

    def make(reg: float) -> Fitted:
        def equations(y: np.ndarray) -> Callable:
            gram = y.T @ y + reg * np.eye(ALS_WIDTH)
            return lambda rows, _: (
                gram + ALS_ALPHA * y[rows].T @ y[rows],
                ALS_ALPHA * y[rows].sum(axis=0) + y[np.unique(rows)].sum(axis=0),
            )

        users, items = _als(train, equations)
        return Fitted(score=lambda rows: (users[rows] @ items.T).astype(np.float32))

    return make


def _matrix_factorisation(train: Ratings) -> Fitted:
    ranker = _tuned(train, _implicit_als, (30.0, 5.0, 15.0, 60.0))
    if not _has_ratings(train):
        return ranker
    return replace(ranker, predict=_tuned(train, _rating_als, (15.0, 5.0, 10.0, 20.0)).predict)


_TABLE = (
    Baseline("popularity", "Cremonesi, Koren & Turrin, RecSys 2010 (TopPop)", _popularity),
    Baseline("bias", "Koren, Bell & Volinsky, IEEE Computer 42(8), 2009", _bias),
    Baseline("item_knn", "Sarwar et al., WWW 2001; Koren, TKDD 4(1), 2010", _item_knn, MAX_SQUARE_ITEMS),
    Baseline("ease", "Steck, WWW 2019", _ease, MAX_SQUARE_ITEMS),
    Baseline("matrix_factorisation", "Koren et al. 2009; Hu, Koren & Volinsky, ICDM 2008", _matrix_factorisation),
)
BASELINES = {baseline.name: baseline for baseline in _TABLE}


def _measure(baseline: Baseline, train: Ratings, test: Ratings) -> dict:
    row: dict = {"model": baseline.name, **dict.fromkeys(("rmse", "recall_at_10", "recall_at_100", "ndcg_at_10"))}
    if baseline.max_items is not None and len(train.items) > baseline.max_items:
        limit = f"{len(train.items)} items; an item-item matrix is built for up to {baseline.max_items}"
        return {**row, "seconds": 0.0, "skipped": limit}
    start = time.perf_counter()
    row |= (found := _quality(baseline.fit(train), train, test))
    row["seconds"] = time.perf_counter() - start
    return row if found else {**row, "skipped": "implicit data: there are no two different ratings"}


def evaluate_baselines(train: Ratings, test: Ratings, *, names: Iterable[str] = ()) -> list[dict]:
    """Fit on `train`, measure on `test`: one row per name, in that order; all of `BASELINES` without names.

    Returns:
        Rows of `model`, `rmse` (stars, clipped to the training range), `recall_at_10`, `recall_at_100` and `ndcg_at_10`
        (full catalogue, training items excluded), None where the model has none, `seconds` (fitting and measuring) and,
        where nothing was measured, `skipped` with the reason.
    """
    chosen = [pick("baselines", name, BASELINES) for name in names] or list(BASELINES)
    return [_measure(BASELINES[name], train, test) for name in chosen]
