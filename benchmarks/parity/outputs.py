"""A variant's answers beside the reference's: how far apart they are, and what a user would see of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

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

SHOWN = 10
_KS = (1, 10, 100)
# Ids and scores of one query on either side, best first: reference's, then the variant's.
Sides = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Ratings:
    """Scores of the items each query names.

    Attributes:
        expected, got: float32[n], flat over queries.
        offsets: int64[n_queries + 1].
        items: int32[n], flat too.
    """

    expected: np.ndarray
    got: np.ndarray
    offsets: np.ndarray
    items: np.ndarray

    def metrics(self) -> dict[str, Any]:
        """Differences and order of the answers; lists' measures are null."""
        several = [(e, g) for e, g in map(self._row, range(len(self.offsets) - 1)) if len(e) > 1]
        resolution = score_resolution(self.expected, self.got)
        turned = [swaps(e, g, resolution) for e, g in several]
        return {
            "max_abs_diff": max_abs_diff(self.expected, self.got),
            "mean_abs_diff": mean_abs_diff(self.expected, self.got),
            "max_diff_of_range": max_abs_diff(self.expected, self.got) / (self.span or 1.0),
            "top_k_overlap": None,
            "top1_agreement": mean_defined([float(np.argmax(e) == np.argmax(g)) for e, g in several]),
            "kendall_tau": self._order_kept(several),
            "score_resolution": resolution,
            "flips": sum(flips for flips, _ in turned),
            "ties_swapped": sum(ties for _, ties in turned),
        }

    @property
    def span(self) -> float:
        """Width of the reference's values."""
        return float(np.ptp(self.expected)) if len(self.expected) else 0.0

    def _row(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(self.offsets[row], self.offsets[row + 1])
        return self.expected[part], self.got[part]

    def _order_kept(self, several: list[tuple[np.ndarray, np.ndarray]]) -> float | None:
        """Mean Kendall's tau over queries of several items; over all answers where every query is about one (leave-last-out), and 1
        where the reference orders nothing at all."""
        within = mean_defined([kendall_tau(e, g) for e, g in several])
        if within is not None:
            return within
        return 1.0 if np.ptp(self.expected) == 0 else kendall_tau(self.expected, self.got)

    def values(self, row: int) -> tuple[np.ndarray, np.ndarray, float, int]:
        """Expected and got scores of one query; lists lose and leak nothing here."""
        return *self._row(row), 0.0, 0

    def differing(self, limit: float | None) -> int:
        """The first query with an answer further off than `limit` and its first ten in another order, else just further off, else
        the one that is furthest off."""
        far = np.abs(self.got.astype(np.float64) - self.expected)
        row_of = np.searchsorted(self.offsets, np.arange(len(far)), side="right") - 1
        beyond = np.unique(row_of[far > limit]) if limit is not None else row_of[:0]
        turned = (row for row in beyond.tolist() if self._is_turned(row))
        return next(turned, int(beyond[0]) if len(beyond) else int(row_of[np.argmax(far)]))

    def _is_turned(self, row: int) -> bool:
        best, _, got, _ = self.sides(row)
        return not np.array_equal(best[:SHOWN], got[:SHOWN])

    def sides(self, row: int) -> Sides:
        """The query's items in the order of either side's scores."""
        part, sides = slice(self.offsets[row], self.offsets[row + 1]), []
        for scores in self._row(row):
            order = np.argsort(-scores, kind="stable")
            sides += [self.items[part][order], scores[order]]
        return tuple(sides)  # type: ignore[return-value]


@dataclass(frozen=True)
class Lists:
    """The best items of a catalogue for each query.

    Attributes:
        ids, scores: int[n, k] and float32[n, k], as the variant gave them.
        best: int[n, k], the reference's.
        expected: float32[n, n_items], every item's score by the reference; minus infinity where it may not be returned.
        names: int64[n, n_items], what people know each query's items by; their places where there are none.
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

    def metrics(self) -> dict[str, Any]:
        """Differences of scores, kept items and kept order."""
        expected, got = self.wanted[self.comparable], self.scores[self.comparable]
        rows = [
            (wanted[kept], scores[kept])
            for wanted, scores, kept in zip(self.wanted, self.scores, self.comparable, strict=True)
        ]
        resolution = score_resolution(expected, got)
        turned = [swaps(e, g, resolution) for e, g in rows]
        pairs = list(zip(self.best.tolist(), self.ids.tolist(), strict=True))
        overlap = {k: float(np.mean([top_k_overlap(r, v, k) for r, v in pairs])) for k in {*_KS, self.ids.shape[1]}}
        return {
            "max_abs_diff": max_abs_diff(expected, got),
            "mean_abs_diff": mean_abs_diff(expected, got),
            "max_diff_of_range": max_abs_diff(expected, got) / (self.span or 1.0),
            "top_k_overlap": overlap[self.ids.shape[1]],
            **{f"overlap_at_{k}": overlap[k] for k in _KS if k <= self.ids.shape[1]},
            "top1_agreement": float(np.mean(self.best[:, 0] == self.ids[:, 0])),
            "rank_biased_overlap": float(np.mean([rank_biased_overlap(r, v) for r, v in pairs])),
            "kendall_tau": mean_defined([kendall_tau(e, g) for e, g in rows]),
            "score_resolution": resolution,
            "flips": sum(flips for flips, _ in turned),
            "ties_swapped": sum(ties for _, ties in turned),
            "seen_returned": int(self._leaked().sum()),
        }

    @cached_property
    def span(self) -> float:
        """Width of the reference's values."""
        finite = self.expected[np.isfinite(self.expected)]
        return float(np.ptp(finite)) if finite.size else 0.0

    def _leaked(self) -> np.ndarray:
        return (self.scores > MASKED_BELOW) & ~np.isfinite(self.wanted)

    def values(self, row: int) -> tuple[np.ndarray, np.ndarray, float, int]:
        """Of one query: expected and got scores of what came back, by how much the worst of it is worth less than the reference's
        last, and how many came back that may not."""
        kept, last = self.comparable[row], self.expected[row, self.best[row]]
        last = last[np.isfinite(last)]
        missing = len(last) - int(kept.sum())
        lost = (
            np.inf
            if missing > 0
            else float(np.max(last[-1:] - self.wanted[row, kept].min(initial=np.inf), initial=0.0))
        )
        return self.wanted[row, kept], self.scores[row, kept], lost, int(self._leaked()[row].sum())

    def differing(self, limit: float | None) -> int:
        """The first query whose first ten differ, else whose list does, else the one whose scores are furthest off."""
        for n in (SHOWN, self.ids.shape[1]):
            rows = np.flatnonzero((self.ids[:, :n] != self.best[:, :n]).any(axis=1))
            if len(rows):
                return int(rows[0])
        far = np.where(self.comparable, np.abs(np.where(self.comparable, self.scores - self.wanted, 0)), 0)
        return int(np.argmax(far.max(axis=1)))

    def sides(self, row: int) -> Sides:
        """Both lists of one query."""
        best, ids = self.best[row], self.ids[row]
        named = (best, ids) if self.names is None else (self.names[row, best], self.names[row, ids])
        return named[0], self.expected[row, best], named[1], self.scores[row]


def ratings_of(expected: np.ndarray, got: np.ndarray, items: list[np.ndarray]) -> Ratings:
    """Ratings from flat scores and each query's items."""
    offsets = np.cumsum([0, *[len(row) for row in items]])
    return Ratings(expected, got, offsets, np.concatenate(items))


def lists_of(
    best: list[np.ndarray], expected: list[np.ndarray], ids: list[np.ndarray], scores: list[np.ndarray]
) -> Lists:
    """Lists where the reference scored only what it returned: each side's ids and scores, k a query.

    Ids are numbered anew, a query's own from 0. One that the reference did not return is expected to score no more than its last,
    which is what it is compared with.
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
    return Lists(places[1], np.stack(scores), places[0], known, names)
