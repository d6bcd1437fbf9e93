"""A variant's outputs beside the reference's: how far apart they are, and what a user would see of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from ...core.records.agreement import Agreement
from ...core.scoring import MASKED_BELOW
from .agreement import (
    kendall_tau,
    max_abs_diff,
    mean_abs_diff,
    mean_defined,
    rank_biased_overlap,
    score_resolution,
    swaps,
    top_k_overlap,
)

# Items of a list that are shown side by side.
SHOWN = 10
_OVERLAPS = (1, 10, 100)


class Sides(NamedTuple):
    """Ids and scores of one query on both sides, best first."""

    best: np.ndarray
    expected: np.ndarray
    ids: np.ndarray
    scores: np.ndarray


class Values(NamedTuple):
    """What one query is judged by.

    Attributes:
        expected, got: scores that both sides give the same items.
        lost: by how much the worst returned item scores less than the reference's last; 0 for scored items.
        n_missing: items that the reference returns and the variant does not replace.
        n_leaked: items that came back although they may not.
    """

    expected: np.ndarray
    got: np.ndarray
    lost: float = 0.0
    n_missing: int = 0
    n_leaked: int = 0


@dataclass(frozen=True)
class ScoredItems:
    """Scores of the items that each query names.

    Attributes:
        expected, got: float32[n], flat over queries.
        offsets: int64[n_queries + 1].
        items: int32[n], flat too.
    """

    expected: np.ndarray
    got: np.ndarray
    offsets: np.ndarray
    items: np.ndarray

    def agreement(self) -> Agreement:
        """Differences and order of the scores; the metrics of lists are null."""
        several = [(e, g) for e, g in map(self._row, range(len(self.offsets) - 1)) if len(e) > 1]
        resolution = score_resolution(self.expected, self.got)
        swapped = [swaps(e, g, resolution) for e, g in several]
        return Agreement(
            max_abs_diff=max_abs_diff(self.expected, self.got),
            mean_abs_diff=mean_abs_diff(self.expected, self.got),
            max_diff_of_range=max_abs_diff(self.expected, self.got) / (self.span or 1.0),
            top1_agreement=mean_defined([float(np.argmax(e) == np.argmax(g)) for e, g in several]),
            kendall_tau=self._order_kept(several),
            score_resolution=resolution,
            flips=sum(flips for flips, _ in swapped),
            ties_swapped=sum(ties for _, ties in swapped),
        )

    @property
    def span(self) -> float:
        """Width of the reference's values."""
        return float(np.ptp(self.expected)) if len(self.expected) else 0.0

    def _row(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(self.offsets[row], self.offsets[row + 1])
        return self.expected[part], self.got[part]

    def _order_kept(self, several: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
        """Mean Kendall's tau over queries of several items; over all scores where every query names one item (leave-last-out); 1
        where the reference orders nothing at all."""
        within = mean_defined([kendall_tau(e, g) for e, g in several])
        if within is not None:
            return within
        return 1.0 if np.ptp(self.expected) == 0 else kendall_tau(self.expected, self.got)

    def values(self, row: int) -> Values:
        """What one query is judged by; scored items cannot be missing or leak."""
        return Values(*self._row(row))

    def differing(self, limit: float | None) -> int:
        """The first query with a score further off than `limit` and its first ten in another order, else just further off, else
        the query that is furthest off."""
        far = np.abs(self.got.astype(np.float64) - self.expected)
        row_of = np.searchsorted(self.offsets, np.arange(len(far)), side="right") - 1
        beyond = np.unique(row_of[far > limit]) if limit is not None else row_of[:0]
        reordered = (row for row in beyond.tolist() if self._is_reordered(row))
        return next(reordered, int(beyond[0]) if len(beyond) else int(row_of[np.argmax(far)]))

    def _is_reordered(self, row: int) -> bool:
        sides = self.sides(row)
        return not np.array_equal(sides.best[:SHOWN], sides.ids[:SHOWN])

    def sides(self, row: int) -> Sides:
        """The query's items in the order of either side's scores."""
        items = self.items[self.offsets[row] : self.offsets[row + 1]]
        expected, got = self._row(row)
        best, ids = (np.argsort(-scores, kind="stable") for scores in (expected, got))
        return Sides(items[best], expected[best], items[ids], got[ids])


@dataclass(frozen=True)
class TopKLists:
    """The best items of a catalogue for each query.

    Attributes:
        ids, scores: int[n, k] and float32[n, k], as the variant gave them.
        best: int[n, k], the reference's.
        expected: float32[n, n_items], every item's score by the reference; minus infinity where it may not be returned.
        names: int64[n, n_items], what each query's items are called; their places in the catalogue when None.
    """

    ids: np.ndarray
    scores: np.ndarray
    best: np.ndarray
    expected: np.ndarray
    names: np.ndarray | None = None

    @cached_property
    def wanted(self) -> np.ndarray:
        """float32[n, k]: the reference's scores of what the variant returned."""
        return np.take_along_axis(self.expected, self.ids, axis=1)

    @cached_property
    def comparable(self) -> np.ndarray:
        """bool[n, k]: where both sides give a score."""
        return (self.scores > MASKED_BELOW) & np.isfinite(self.wanted)

    def agreement(self) -> Agreement:
        """Differences of scores, kept items and kept order."""
        expected, got = self.wanted[self.comparable], self.scores[self.comparable]
        rows = [(w[kept], s[kept]) for w, s, kept in zip(self.wanted, self.scores, self.comparable, strict=True)]
        resolution = score_resolution(expected, got)
        swapped = [swaps(e, g, resolution) for e, g in rows]
        pairs, k = list(zip(self.best.tolist(), self.ids.tolist(), strict=True)), self.ids.shape[1]
        overlap = {n: float(np.mean([top_k_overlap(r, v, n) for r, v in pairs])) for n in {*_OVERLAPS, k} if n <= k}
        return Agreement(
            max_abs_diff=max_abs_diff(expected, got),
            mean_abs_diff=mean_abs_diff(expected, got),
            max_diff_of_range=max_abs_diff(expected, got) / (self.span or 1.0),
            top_k_overlap=overlap[k],
            overlap_at_1=overlap.get(1),
            overlap_at_10=overlap.get(10),
            overlap_at_100=overlap.get(100),
            top1_agreement=float(np.mean(self.best[:, 0] == self.ids[:, 0])),
            rank_biased_overlap=float(np.mean([rank_biased_overlap(r, v) for r, v in pairs])),
            kendall_tau=mean_defined([kendall_tau(e, g) for e, g in rows]),
            score_resolution=resolution,
            flips=sum(flips for flips, _ in swapped),
            ties_swapped=sum(ties for _, ties in swapped),
            seen_returned=int(self._leaked().sum()),
        )

    @cached_property
    def span(self) -> float:
        """Width of the reference's values."""
        finite = self.expected[np.isfinite(self.expected)]
        return float(np.ptp(finite)) if finite.size else 0.0

    def _leaked(self) -> np.ndarray:
        return (self.scores > MASKED_BELOW) & ~np.isfinite(self.wanted)

    def values(self, row: int) -> Values:
        """What one query is judged by."""
        kept, last = self.comparable[row], self.expected[row, self.best[row]]
        last = last[np.isfinite(last)]
        missing = max(0, len(last) - int(kept.sum()))
        worst = self.wanted[row, kept].min(initial=np.inf)
        lost = 0.0 if missing else float(np.max(last[-1:] - worst, initial=0.0))
        return Values(self.wanted[row, kept], self.scores[row, kept], lost, missing, int(self._leaked()[row].sum()))

    def differing(self, limit: float | None) -> int:
        """The first query whose first ten differ, else whose list does, else the one whose scores are furthest off."""
        for n in (SHOWN, self.ids.shape[1]):
            rows = np.flatnonzero((self.ids[:, :n] != self.best[:, :n]).any(axis=1))
            if len(rows):
                return int(rows[0])
        far = np.abs(np.subtract(self.scores, self.wanted, out=np.zeros(self.ids.shape), where=self.comparable))
        return int(np.argmax(far.max(axis=1)))

    def sides(self, row: int) -> Sides:
        """Both lists of one query."""
        best, ids = self.best[row], self.ids[row]
        named = (best, ids) if self.names is None else (self.names[row, best], self.names[row, ids])
        return Sides(named[0], self.expected[row, best], named[1], self.scores[row])


Answers: TypeAlias = ScoredItems | TopKLists


def scored_items(expected: np.ndarray, got: np.ndarray, items: Sequence[np.ndarray]) -> ScoredItems:
    """Scores, flat over queries, of each query's items."""
    offsets = np.cumsum([0, *[len(row) for row in items]])
    return ScoredItems(expected, got, offsets, np.concatenate(items))


def returned_lists(
    best: Sequence[np.ndarray], expected: Sequence[np.ndarray], ids: Sequence[np.ndarray], scores: Sequence[np.ndarray]
) -> TopKLists:
    """Lists where the reference scored only what it returned: ids and scores of both sides, each [k], one per query.

    The ids of a query are numbered anew from 0. An id that the reference did not return is taken to score no more than its last
    item, and is compared with that.
    """
    n, k = len(best), len(best[0])
    known, names = np.full((n, 2 * k), -np.inf, np.float32), np.zeros((n, 2 * k), np.int64)
    places = np.zeros((2, n, k), np.int64)
    for row in range(n):
        order = np.argsort(-expected[row], kind="stable")
        numbers = {item: place for place, item in enumerate(best[row][order].tolist())}
        known[row, :k] = expected[row][order]
        known[row, k:] = expected[row].min()
        places[0, row] = np.arange(k)
        places[1, row] = [numbers.setdefault(item, len(numbers)) for item in ids[row].tolist()]
        names[row, : len(numbers)] = list(numbers)
    return TopKLists(places[1], np.stack(scores), places[0], known, names)
