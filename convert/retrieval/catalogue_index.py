"""A catalogue that retrieval reads: its int8 rows and its cells, made once for every form of retrieval."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.metrics import hits_in_lists
from ..quantize.rounding import LEVELS8, fed_forward
from .partitioning import Partition, divide, moment_of, number_of_cells

_BLOCK, _SAMPLE = 50_000, 100_000
# One query in so many chooses how many cells are read; the others place and represent the cells.
_CHOOSING = 4
_MOST_QUERIES = 256


@dataclass(frozen=True)
class Coded:
    """Rows in int8 under one scale, in a turned space.

    Attributes:
        turn: float32[d, d], orthogonal; a query times this is in the space of the rows.
        codes: int8[n, d].
        scale: a row turned is about codes * scale.
    """

    turn: np.ndarray
    codes: np.ndarray
    scale: np.float32


@dataclass(frozen=True)
class Scanned:
    """A catalogue searched by inner product.

    Attributes:
        items: float32[n, d], an array or a memory map.
        queries: float32[m, d], representative, and not those that recall is reported on.
        k: results a query.
        recall: share of the exact best k that retrieval by cells is set up to find, on representative queries.
        seed: of k-means and of the turn.
        masked: bool[m, n], what may not be returned to each query; nothing is masked where it is None.
    """

    items: np.ndarray
    queries: np.ndarray
    k: int
    recall: float = 0.96
    seed: int = 0
    masked: np.ndarray | None = None

    @cached_property
    def coded(self) -> Coded:
        """Rows turned at random, so that no column is larger than others and one scale fits all, then rounded with each
        error corrected for the queries (`rounding.fed_forward`). The largest element sets the scale: rows that a smaller one
        would cut are the most popular, which most lists hold."""
        n, d = self.items.shape
        turn = np.linalg.qr(np.random.default_rng(self.seed).normal(size=(d, d)))[0].astype(np.float32)
        sample = np.asarray(self.items[:: -(-n // _SAMPLE)]) @ turn
        scale = np.float32(np.abs(sample).max() / LEVELS8) or np.float32(1)
        moment, codes = moment_of(self.queries @ turn), np.empty((n, d), np.int8)
        for start in range(0, n, _BLOCK):
            wide = (self.items[start : start + _BLOCK] @ turn).astype(np.float64) / scale
            codes[start : start + _BLOCK] = np.clip(np.round(fed_forward(wide, LEVELS8, moment)), -LEVELS8, LEVELS8)
        return Coded(turn, codes, scale)

    @cached_property
    def partition(self) -> Partition:
        """The catalogue in cells, placed by three quarters of the queries."""
        queries, _ = placing_and_choosing(self.queries)
        return divide(self.items, queries, number_of_cells(len(self.items)), self.seed)

    @cached_property
    def cells_read(self) -> int:
        """The fewest cells with which the other quarter of the queries finds `recall` of its exact best k, and with which no
        representative query could lack items, wherever its masked ones lie."""
        _, queries = placing_and_choosing(self.queries)
        masked = None if self.masked is None else placing_and_choosing(self.masked)[1]
        exact = exact_best(self.items, queries, self.k, masked)
        n_cells, size = self.partition.members.shape
        lost = n_cells * size - len(self.items)
        if self.masked is not None:
            counts = self.masked.sum(axis=1)
            lost += int(counts[counts <= len(self.items) - self.k].max(initial=0))  # others have no k to lack
        low = high = min(n_cells, -(-(self.k + lost) // size))
        while high < n_cells and self._recall(queries, exact, masked, high) < self.recall:
            low, high = high + 1, min(n_cells, 2 * high)  # few are cheap to try, many are not
        while low < high:
            middle = (low + high) // 2
            if self._recall(queries, exact, masked, middle) >= self.recall:
                high = middle
            else:
                low = middle + 1
        return low

    def _recall(self, queries: np.ndarray, exact: np.ndarray, masked: np.ndarray | None, n_read: int) -> float:
        hidden = [None] * len(queries) if masked is None else masked
        best = [exact[row] if mask is None else exact[row][~mask[exact[row]]] for row, mask in enumerate(hidden)]
        found = [self._read(query, mask, n_read) for query, mask in zip(queries, hidden, strict=True)]
        return int(hits_in_lists(found, best).sum()) / max(1, sum(map(len, best)))

    def _read(self, query: np.ndarray, hidden: np.ndarray | None, n_read: int) -> np.ndarray:
        """Ids of the best k of so many cells, as a device finds them."""
        coded, (members, representatives) = self.coded, (self.partition.members, self.partition.representatives)
        ids = members[np.argpartition(-(representatives @ query), n_read - 1)[:n_read]].reshape(-1)
        ids = ids[ids >= 0]
        if hidden is not None:
            ids = ids[~hidden[ids]]
        scores = coded.codes[ids].astype(np.float32) @ (query @ coded.turn)
        return ids[np.argpartition(-scores, self.k - 1)[: self.k]] if len(ids) > self.k else ids


def placing_and_choosing(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Three quarters of representative queries, to fit what retrieval knows of them, and up to 256 of the others, to choose how
    much it reads: what fits queries it has seen would read too little for others."""
    placing = np.arange(len(queries)) % _CHOOSING != 0
    return (queries[placing] if placing.any() else queries), queries[~placing][:_MOST_QUERIES]


def exact_best(items: np.ndarray, queries: np.ndarray, k: int, masked: np.ndarray | None = None) -> np.ndarray:
    """int64[m, k], ids of the largest inner products in float32, best first, masked ones (bool[m, n]) last; reads the items in
    blocks."""
    ids = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(items), _BLOCK):
        block = queries @ np.asarray(items[start : start + _BLOCK]).T
        if masked is not None:
            block[masked[:, start : start + _BLOCK]] = -np.inf
        scores = np.concatenate([scores, block], axis=1)
        ids = np.concatenate([ids, np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)], axis=1)
        if scores.shape[1] > k:
            kept = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            scores, ids = np.take_along_axis(scores, kept, 1), np.take_along_axis(ids, kept, 1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(ids, order, 1)
