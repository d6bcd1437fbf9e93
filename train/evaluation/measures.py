"""What is measured of a contestant: one pass over the users for each thing that it may know of them."""

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.intervals import estimates, mean_estimates
from ...core.metrics import RETRIEVED, best_unseen, hits_of_lists, list_quality, thirds
from ...core.queries.histories import Histories
from ...core.records.evaluation import ColdItems, Estimate, ListQuality
from ..data.ratings import Ratings, histories
from ..linear.history_weights import liked_rows
from .contestants import LAST_5, PREFERENCES_ONLY, RATED, WHOLE, Contestant, Knowledge, Predict

log = logging.getLogger(__name__)

SHORT_LIST = 10
# Training events of a user: least and most of each group.
HISTORY_GROUPS = {"0-4": (0, 4), "5-19": (5, 19), "20-99": (20, 99), "100+": (100, np.inf)}
POPULARITY_GROUPS = ("least", "middle", "most")


@dataclass(frozen=True)
class Held:
    """The data of an evaluation.

    Attributes:
        train, test: both parts.
        users: int64[n], who is evaluated; everybody has something in `test`.
    """

    train: Ratings
    test: Ratings
    users: np.ndarray

    @cached_property
    def seen(self) -> Histories:
        return histories(self.train)

    @cached_property
    def truth(self) -> Histories:
        return histories(self.test)

    @cached_property
    def liked(self) -> Histories | None:
        """What was not disliked of `truth`; None for implicit data."""
        if self.train.is_implicit:
            return None
        return histories(self.test.take(liked_rows(self.train.rating, self.test.rating)))

    @property
    def n_items(self) -> int:
        return len(self.train.items)

    @cached_property
    def history_lengths(self) -> np.ndarray:
        """int64[n]: training events of each of `users`."""
        return np.diff(self.seen.offsets)[self.users]

    @cached_property
    def owners(self) -> np.ndarray:
        """int64[n_items]: how many users have each item in training."""
        pairs = np.unique(self.train.user.astype(np.int64) * self.n_items + self.train.item)
        return np.bincount(pairs % self.n_items, minlength=self.n_items)

    @cached_property
    def items_third(self) -> np.ndarray:
        """int64[n_items]: 0 for the third of the catalogue with the fewest training events, 2 for that with the most."""
        return thirds(np.bincount(self.train.item, minlength=self.n_items))

    @cached_property
    def declaring(self) -> np.ndarray:
        """int64[m]: those of `users` who declared preferences."""
        declared = self.train.user_preferences
        return np.array([user for user in self.users if declared and declared[user]], np.int64)


@dataclass(frozen=True)
class Measured:
    """What was measured of a contestant.

    Attributes:
        fields: of `EvaluatedModel`, by name.
        of_users: float64[n, 3], as `list_quality` returns it, of each of the evaluated users; None without lists.
    """

    fields: dict[str, object]
    of_users: np.ndarray | None


def measure(contestant: Contestant, held: Held, rival: Measured | None = None) -> Measured:
    """Everything that the contestant offers.

    Args:
        rival: measured on the same users; `difference` is what the contestant has more than it.
    """
    found: dict[str, object] = {"rmse": rating_error(contestant.predict, held)}
    of_users: np.ndarray | None = None
    for known, all_of, liked in ((WHOLE, "retrieval", "liked"), (RATED, "rated", "liked_rated")):
        lists = _lists(contestant, known, held, held.users)
        if lists is None:
            continue
        columns = list_quality(*hits_of_lists(lists, held.users, held.truth))
        found[all_of] = _mean_quality(columns)
        found[liked] = None if held.liked is None else quality(lists, held.users, held.liked)
        if known == WHOLE:
            of_users = columns
            found |= _of_whole_histories(lists, columns, held)
    for name, known, users in (("last_5", LAST_5, held.users), ("preferences_only", PREFERENCES_ONLY, held.declaring)):
        lists = _lists(contestant, known, held, users)
        found[name] = None if lists is None else quality(lists, users, held.truth)
    if of_users is not None and rival is not None and rival.of_users is not None:
        found["difference"] = _mean_quality(of_users - rival.of_users)
    return Measured(found, of_users)


def _lists(contestant: Contestant, known: Knowledge, held: Held, users: np.ndarray) -> np.ndarray | None:
    """int32[n, 100]; items of the whole training history are left out, however little of it is known."""
    score = contestant.score(known) if len(users) else None
    if score is None:
        return None
    log.info(f"ranking {held.n_items:,} items for {len(users):,} users who are known by {known.words()}")
    return best_unseen(score, held.seen, users)


def quality(lists: np.ndarray, users: np.ndarray, truth: Histories) -> ListQuality | None:
    """Of the lists of those `users` who have anything in `truth`; None where nobody has."""
    return _mean_quality(list_quality(*hits_of_lists(lists, users, truth)))


def _mean_quality(columns: np.ndarray) -> ListQuality | None:
    """Of float64[n, 3], as `list_quality` returns them."""
    found = [each for each in mean_estimates(columns[~np.isnan(columns[:, 0])]) if each is not None]
    return ListQuality(*found) if found else None


def _of_whole_histories(lists: np.ndarray, columns: np.ndarray, held: Held) -> dict[str, object]:
    lengths, third = held.history_lengths, held.items_third[held.truth.item]
    return {
        "by_history": {
            name: _mean_quality(columns[(lengths >= least) & (lengths <= most)])
            for name, (least, most) in HISTORY_GROUPS.items()
        },
        "by_popularity": {
            name: quality(lists, held.users, held.truth.where(third == number))
            for number, name in enumerate(POPULARITY_GROUPS)
        },
        "coverage_at_10": coverage(lists[:, :SHORT_LIST], held.n_items),
        "novelty_at_10": novelty(lists[:, :SHORT_LIST], held),
        "popularity_lift_at_10": popularity_lift(lists[:, :SHORT_LIST], held),
        "cold": cold_items(lists, held),
    }


def rating_error(predict: Predict | None, held: Held) -> Estimate | None:
    """Root mean squared error of predictions clipped to the training range, every held-out rating counting once."""
    if predict is None or held.train.is_implicit:
        return None
    rows = np.flatnonzero(np.isin(held.test.user, held.users))
    user, actual = held.test.user[rows], held.test.rating[rows].astype(np.float64)
    predicted = np.clip(predict(user, held.test.item[rows]), held.train.rating.min(), held.train.rating.max())
    place = np.searchsorted(held.users, user)
    squares = np.bincount(place, (predicted.astype(np.float64) - actual) ** 2, minlength=len(held.users))
    counts = np.bincount(place, minlength=len(held.users)).astype(np.float64)
    return _first(estimates(squares[:, None], counts[:, None], np.sqrt))


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of the catalogue in any of lists int32[n, k] (Herlocker et al. 2004, 4.1). It has no interval: a resample of users
    repeats some of them, and so covers less than the users did."""
    return len(np.unique(lists[lists >= 0])) / n_items


def novelty(lists: np.ndarray, held: Held) -> Estimate | None:
    """Mean self-information of listed items in bits, -log2(owners / users) (Zhou et al. 2010; Vargas and Castells 2011): mean of
    each list's mean. An item that nobody has counts as one user's, since its own would be infinite."""
    n_users = max(1, int((np.diff(held.seen.offsets) > 0).sum()))
    bits = -np.log2(np.maximum(held.owners, 1) / n_users)
    return _first(mean_estimates(_list_means(bits, lists[lists[:, 0] >= 0])))


def popularity_lift(lists: np.ndarray, held: Held) -> Estimate | None:
    """(mean popularity of listed items - that of the users' training items) / the latter, each a mean over users of means over a
    user's items; popularity is the number of users with an item (Abdollahpouri et al. 2020)."""
    with_both = (held.history_lengths > 0) & (lists[:, 0] >= 0)
    users = held.users[with_both]
    own = np.array([[held.owners[np.unique(held.seen.items_of(user))].mean()] for user in users]).reshape(-1, 1)
    listed = _list_means(held.owners.astype(np.float64), lists[with_both])
    return _first(estimates(listed, own, lambda ratio: ratio - 1))


def _list_means(value: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """float64[n, 1]: mean of `value` float64[n_items] over each list, none of them empty."""
    there = lists >= 0
    return (np.where(there, value[lists], 0).sum(axis=1) / there.sum(axis=1))[:, None]


def _first(found: list[Estimate | None]) -> Estimate | None:
    return found[0] if found else None


def cold_items(lists: np.ndarray, held: Held) -> ColdItems:
    """How many held-out events on items without a training event the lists hold, and how many random lists would.

    A random list holds any one unseen item with probability min(1, 100 / number of unseen items).
    """
    cold = np.bincount(held.train.item, minlength=held.n_items) == 0
    hits, events = hits_of_lists(lists, held.users, held.truth.where(cold[held.truth.item]))
    some = events > 0
    unseen = np.array([held.n_items - len(np.unique(held.seen.items_of(user))) for user in held.users[some]])
    expected = events[some] * np.minimum(1, RETRIEVED / np.maximum(unseen, 1))
    found = hits.sum(axis=1)[some, None].astype(np.float64)
    return ColdItems(
        items=int(cold.sum()),
        events=int(events.sum()),
        found_at_100=_first(estimates(found, events[some, None].astype(np.float64))),
        chance_at_100=float(expected.sum() / events.sum()) if some.any() else None,
    )
