"""A part of the training ratings to choose hyperparameters on, and what models are chosen by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ...core.metrics import retrieval_quality
from ...core.queries.histories import Histories
from ..data.ratings import Ratings, histories, split_ratings
from ..data.splits import SPLITS
from .history_weights import Feedback, feedback_for, history_weights, place_weights, totals
from .item_weights import Factors
from .settings import LinearSettings
from .solvers import Reader

# Histories that choose the weights of popularity and preferences are cut to this many items.
SHORT = 5
# Validation is over at most this many users, which bounds its time.
MOST_USERS = 2_000
# Fewer held-out events than this choose nothing.
LEAST_HELD_OUT = 50


@dataclass(frozen=True)
class Validation:
    """A part of the training ratings to fit on, and one to choose on.

    Attributes:
        seen: histories of the first part.
        truth: held-out items of up to `MOST_USERS` users.
        liked: those of them that got more than a disliking rating.
        seed: chooses the events of shortened histories.
    """

    train: Ratings
    seen: Histories
    truth: Histories
    liked: Histories
    seed: int

    @property
    def n_items(self) -> int:
        return len(self.train.items)

    def shortened(self) -> Histories:
        """The histories, cut to `SHORT` events each."""
        return shortened(self.seen, SHORT, self.seed)

    def value(
        self,
        factors: Factors,
        settings: LinearSettings,
        *,
        seen: Histories | None = None,
        feedback: Feedback | None = None,
        declared: np.ndarray | None = None,
        share: np.ndarray | None = None,
    ) -> float:
        """What these factors are `worth`; on liked items where `feedback` is given.

        Args:
            seen: histories to ask with, in place of those that were fitted on.
            declared: float[n_users, r], what the users' declared preferences add to their queries.
            share: float64[n_items], popularity in place of that of the first part.
        """
        weighed, popular_by = seen or self.seen, popularity_of(self.seen, self.n_items) if share is None else share
        place = place_weights(settings.window, settings.recency)

        def score(users: np.ndarray) -> np.ndarray:
            weights = history_weights(weighed, users, self.n_items, place, feedback)
            popular = popularity_weight(settings.popularity, totals(weighed, users, place))[:, None] * popular_by[None]
            query = weights @ factors.history + (0 if declared is None else declared[users])
            return query @ factors.candidates.T + popular

        return self._worth(score, self.truth if feedback is None else self.liked)

    def value_of_whole(self, read: Reader) -> float:
        """The same of weights that are not cut to a rank; a history counts as a set."""
        flat = place_weights(int(np.diff(self.seen.offsets).max()), 0.0)
        return self._worth(lambda users: read(history_weights(self.seen, users, self.n_items, flat)), self.truth)

    def _worth(self, score: Callable[[np.ndarray], np.ndarray], truth: Histories) -> float:
        return worth(retrieval_quality(score, self.seen, truth))


def worth(quality: Mapping[str, float]) -> float:
    """What models are chosen by, of `retrieval_quality`: recall@10 + NDCG@10 + 0.3 recall@100."""
    return quality["recall_at_10"] + quality["ndcg_at_10"] + 0.3 * quality["recall_at_100"]


def popularity_of(seen: Histories, n_items: int) -> np.ndarray:
    """float64[n_items]: share of the users who have the item."""
    return np.bincount(seen.item, minlength=n_items) / max(1, len(seen.offsets) - 1)


# Events of a history at which popularity weighs half. See the decision record on the weight of popularity.
POPULARITY_HALF = 5.0


def popularity_weight(weight: float, total: np.ndarray) -> np.ndarray:
    """Weight of popularity beside histories of such total weights: all of it for an empty one, half at `POPULARITY_HALF`."""
    return weight * POPULARITY_HALF**2 / (POPULARITY_HALF**2 + total**2)


def validation_of(train: Ratings, split: str, seed: int) -> Validation | None:
    """Hold out part of `train` as `split` does; None where nothing, or fewer than `LEAST_HELD_OUT` events, would be held out."""
    held_out = SPLITS[split].held_out(train.user, train.timestamp, seed)
    if not LEAST_HELD_OUT <= held_out.sum() < len(train):
        return None
    kept, held = split_ratings(train, split, seed)
    users = np.random.default_rng([seed, 4]).permutation(np.unique(held.user))[:MOST_USERS]
    held = held.take(np.flatnonzero(np.isin(held.user, users)))
    limit = feedback_for(train.rating, train.is_implicit, 0.0).disliked_at
    liked = held if train.is_implicit else held.take(np.flatnonzero(held.rating > limit))
    return Validation(kept, histories(kept), histories(held), histories(liked), seed)


def shortened(seen: Histories, n: int, seed: int) -> Histories:
    """`n` random events of each history, in their order."""
    random = np.random.default_rng([seed, 5])
    bounds = zip(seen.offsets[:-1], seen.offsets[1:], strict=True)
    kept = [np.sort(random.permutation(np.arange(a, b))[:n]) for a, b in bounds]
    rows = np.concatenate(kept).astype(np.int64) if kept else np.empty(0, np.int64)
    return Histories(np.cumsum([0, *map(len, kept)]), seen.item[rows], seen.rating[rows])
