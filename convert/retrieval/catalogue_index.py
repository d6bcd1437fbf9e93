"""The index of a catalogue: its int8 rows and its cells, made once for every form of retrieval."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.metrics import hits_in_lists
from ..quantize.rounding import LEVELS8, gptq_round
from .partitioning import Partition, divide, number_of_cells, second_moment

_BLOCK, _SAMPLE = 50_000, 100_000
# One in this many queries chooses how many cells are read; the others place the cells and fit their centroids.
_CHOOSING = 4
_MOST_QUERIES = 256


@dataclass(frozen=True)
class QuantizedRows:
    """Rows in int8 under one scale, in a rotated space.

    Attributes:
        rotation: float32[d, d], orthogonal; a query times this matrix is in the space of the rows.
        codes: int8[n, d].
        scale: a rotated row is about codes * scale.
    """

    rotation: np.ndarray
    codes: np.ndarray
    scale: np.float32


@dataclass(frozen=True)
class CatalogueIndex:
    """A catalogue searched by inner product.

    Attributes:
        items: float32[n, d], an array or a memory map.
        queries: float32[m, d], representative; other queries than those that recall is reported on.
        k: results per query.
        recall: target recall of the exact best k on representative queries, for retrieval by cells.
        seed: of k-means and of the rotation.
        masked: bool[m, n], items that may not be returned to each query; None masks nothing.
    """

    items: np.ndarray
    queries: np.ndarray
    k: int
    recall: float = 0.96
    seed: int = 0
    masked: np.ndarray | None = None

    @cached_property
    def quantized(self) -> QuantizedRows:
        """Rows rotated at random, so that columns have similar ranges and one scale fits all, then rounded with errors
        compensated for the queries (`rounding.gptq_round`). The largest element sets the scale: a smaller one would clip the rows
        of the most popular items, which most lists hold."""
        n, d = self.items.shape
        rotation = np.linalg.qr(np.random.default_rng(self.seed).normal(size=(d, d)))[0].astype(np.float32)
        sample = np.asarray(self.items[:: -(-n // _SAMPLE)]) @ rotation
        scale = np.float32(np.abs(sample).max() / LEVELS8) or np.float32(1)
        hessian, codes = second_moment(self.queries @ rotation), np.empty((n, d), np.int8)
        for start in range(0, n, _BLOCK):
            wide = (self.items[start : start + _BLOCK] @ rotation).astype(np.float64) / scale
            codes[start : start + _BLOCK] = np.clip(np.round(gptq_round(wide, LEVELS8, hessian)), -LEVELS8, LEVELS8)
        return QuantizedRows(rotation, codes, scale)

    @cached_property
    def partition(self) -> Partition:
        """The catalogue in cells, fitted on three quarters of the queries."""
        queries, _ = split_queries(self.queries)
        return divide(self.items, queries, number_of_cells(len(self.items)), self.seed)

    @cached_property
    def cells_read(self) -> int:
        """The smallest number of cells with which the other quarter of the queries reaches `recall`, and with which no
        representative query can run out of items, wherever its masked items lie."""
        _, queries = split_queries(self.queries)
        masked = None if self.masked is None else split_queries(self.masked)[1]
        exact = exact_best(self.items, queries, self.k, masked)
        n_cells, size = self.partition.members.shape
        lost = n_cells * size - len(self.items)
        if self.masked is not None:
            counts = self.masked.sum(axis=1)
            lost += int(
                counts[counts <= len(self.items) - self.k].max(initial=0)
            )  # other queries have fewer than k items left
        low = high = min(n_cells, -(-(self.k + lost) // size))
        while high < n_cells and self._recall(queries, exact, masked, high) < self.recall:
            low, high = high + 1, min(n_cells, 2 * high)  # a small number is cheap to try
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
        """Ids of the best k in the best `n_read` cells, as a device finds them."""
        quantized, (members, centroids) = self.quantized, (self.partition.members, self.partition.centroids)
        ids = members[np.argpartition(-(centroids @ query), n_read - 1)[:n_read]].reshape(-1)
        ids = ids[ids >= 0]
        if hidden is not None:
            ids = ids[~hidden[ids]]
        scores = quantized.codes[ids].astype(np.float32) @ (query @ quantized.rotation)
        return ids[np.argpartition(-scores, self.k - 1)[: self.k]] if len(ids) > self.k else ids


def split_queries(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split representative queries: three quarters to fit the cells on, and up to 256 of the rest to choose how many cells to read.

    Choosing on the fitting queries would underestimate how much to read.
    """
    placing = np.arange(len(queries)) % _CHOOSING != 0
    return (queries[placing] if placing.any() else queries), queries[~placing][:_MOST_QUERIES]


def exact_best(items: np.ndarray, queries: np.ndarray, k: int, masked: np.ndarray | None = None) -> np.ndarray:
    """Ids int64[m, k] of the largest inner products in float32, best first; reads the items in blocks.

    Args:
        items: float32[n, d].
        queries: float32[m, d].
        masked: bool[m, n], items that come last.
    """
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
