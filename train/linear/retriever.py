"""The linear retriever: item-to-item weights of low rank as the tables that the query encoder and the search read.

    query = [sum_k place_k * factor(rating_k) * H_hk + g P ; popularity] / (t + 1) ** 0.5        score_i = query . [C_i ; share_i]

H reads the history, C is searched, g marks declared preferences, t is the sum of the weights by place.
Content enters C of items without ratings and P (Jeunen et al.,
"Closed-form models for collaborative filtering with side-information", RecSys 2020, add features to the same regression; here
genres are further rows of the interactions).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.metrics import RETRIEVED
from ...core.queries.histories import Histories
from ...core.records.history_weights import HistoryWeights
from ..data.item_content import Indicators
from ..data.ratings import Ratings, histories
from .content import filled, filled_share, ordinary_share, rows_by_content
from .history_weights import (
    DISLIKE,
    LONE_DISLIKE,
    Feedback,
    dislike_half,
    feedback_for,
    history_weights,
    place_weights,
    totals,
)
from .item_weights import Factors
from .preferences import preference_rows
from .settings import LinearSettings
from .solvers import SOLVERS
from .tuning import tuned_settings
from .validation import POPULARITY_HALF, popularity_of

# Scores are scaled so that those of a list differ as much as those of the trained encoder did when the weight of a predicted
# rating beside them was chosen (decision 8): the standard deviation of the best 100, over these many users.
LISTED_STD, SCALE_USERS = 0.4, 1000
# Vectors that are next to nothing, of two items for example, are not scaled up without bound.
MOST_UNIT = 1000.0


@dataclass(frozen=True)
class LinearRetriever:
    """A fitted retriever.

    Attributes:
        tables: what the models are made of; see `folded`.
        settings: hyperparameters, those that validation chose among them.
    """

    tables: dict[str, np.ndarray]
    settings: LinearSettings

    @property
    def weights(self) -> HistoryWeights:
        """How its query weighs a history, for whoever takes scores apart."""
        disliked_at, per_unit, best = map(float, self.tables["feedback"])
        dislike, lone, few = map(float, self.tables["dislike"])
        half = float(self.tables["popularity_half"])
        return HistoryWeights(self.settings.recency, disliked_at, best, per_unit, dislike, lone, few, half)


def fit_linear(
    train: Ratings,
    content: Indicators,
    declared: Indicators,
    *,
    split: str,
    seed: int,
    window: int,
    ranks: Sequence[int],
) -> LinearRetriever:
    """Choose hyperparameters on a part of `train`, fit on all of it.

    Args:
        content: of the items, float32[n_items, n_content].
        declared: preferences of the users; every genre is among the tokens.
        split: key of `SPLITS`; validation holds out as it does.
        window: items of a history that a query takes; more where validation needs them.
        ranks: columns of the item tables, the bias apart, narrowest first; the first that is wide enough is taken.
    """
    settings = tuned_settings(train, content, declared, split=split, seed=seed, window=window, ranks=ranks)
    seen = histories(train)
    factors = SOLVERS[settings.method](seen, train.genres).factors(settings).rotated()
    feedback = feedback_for(train.rating, train.is_implicit, settings.rating_slope)
    return LinearRetriever(
        folded(train, seen, factors, settings, feedback, content, declared, settings.window), settings
    )


def folded(
    train: Ratings,
    seen: Histories,
    factors: Factors,
    settings: LinearSettings,
    feedback: Feedback,
    content: Indicators,
    declared: Indicators,
    window: int,
) -> dict[str, np.ndarray]:
    """The tables an app needs.

    Returns:
        `candidate` float32[n_items, r + 1] with popularity as its last column, `history` float32[n_items, r], `recency`
        float32[window] (newest first), `preference` float32[n_preferences, r], `unit`, `popularity_gain` and `popularity_half`
        float32[] (the query's last element is unit * gain / (t² + half²)), `feedback` float32[3]: disliked_at, what a unit of
        rating below the best costs, and the best, `dislike` float32[3]: see history_weights.py, `content`
        float32[n_content, r] and `unrated` float32[], the vector of an item without ratings.
    """
    share = popularity_of(seen, len(train.items))
    by_content = settings.content_scale * rows_by_content(factors.candidates, share, content)
    items, popular = filled(factors.candidates, share, content, by_content), filled_share(share)
    unit = float(popular.mean() / max(np.abs(items).max(axis=1).mean(), MOST_UNIT**-1 * popular.mean()))
    preference = preference_rows(train, seen, items, popular, factors, settings, declared)
    larger = LISTED_STD / _listed_std(seen, factors.history, items, place_weights(window, settings.recency))
    tables = {
        "candidate": np.concatenate([items, popular[:, None] / unit], axis=1),
        "history": larger * factors.history,
        "recency": place_weights(window, settings.recency),
        "preference": larger * preference,
        "unit": np.array(unit),
        "popularity_gain": np.array(larger * settings.popularity * POPULARITY_HALF**2),
        "popularity_half": np.array(POPULARITY_HALF),
        "feedback": np.array([feedback.disliked_at, feedback.per_unit, feedback.best]),
        "dislike": np.array([DISLIKE, LONE_DISLIKE, dislike_half(place_weights(window, settings.recency))]),
        "content": by_content,
        "unrated": np.array(ordinary_share(share) / unit),
    }
    return {name: np.ascontiguousarray(table, np.float32) for name, table in tables.items()}


def _listed_std(seen: Histories, history: np.ndarray, items: np.ndarray, place: np.ndarray) -> float:
    """Standard deviation of the scores of a list, mean over users; 1 where there is none."""
    users = np.flatnonzero(np.diff(seen.offsets))[:SCALE_USERS]
    scores: np.ndarray = history_weights(seen, users, len(items), place) @ history @ items.T
    scores /= np.sqrt(totals(seen, users, place) + 1)[:, None]
    for row, user in enumerate(users):
        scores[row, seen.items_of(user)] = -np.inf
    best = -np.sort(-scores, axis=1)[:, :RETRIEVED]
    found = [row[np.isfinite(row)].std() for row in best if np.isfinite(row).sum() > 1]
    return float(np.mean(found)) if found and np.mean(found) > 0 else 1.0
