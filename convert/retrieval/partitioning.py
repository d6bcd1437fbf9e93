"""Balanced partitions of a catalogue (an inverted file, IVF): retrieval reads a few cells of equal size.

Representative queries are used three times, and each time the retrieval needs fewer cells for the same recall (decision 37): items
are compared in a space weighted by the queries' second moment, each cell's centroid is fitted to predict the best score within it,
and the number of cells to read is chosen on queries that neither step used.
"""

from dataclasses import dataclass

import numpy as np

# Exponent of the queries' second moment in the space that items are clustered in: 0 is plain k-means, 1 the error of the scores.
WEIGHTING = 0.75
_LEAST_EIGENVALUE = 1e-6  # of the largest: directions without queries would make the space singular
_ROUNDS, _SAMPLES_PER_CELL, _BLOCK = 8, 40, 16_384
_RIDGE = 0.03
# The number of cells is this many times the square root of the catalogue, or a number nearby that divides it evenly.
_CELLS_PER_ROOT, _NEAR = 3.2, 1.25
MOST_CELLS = 2_000


@dataclass(frozen=True)
class Partition:
    """A catalogue in cells.

    Attributes:
        members: int32[n_cells, size], ids of the items of each cell; -1 where a cell has fewer.
        centroids: float32[n_cells, d]; a query's product with one predicts the best score within the cell.
    """

    members: np.ndarray
    centroids: np.ndarray


def second_moment(queries: np.ndarray) -> np.ndarray:
    """float64[d, d], mean of q q^T over queries float32[m, d]."""
    wide = queries.astype(np.float64)
    return wide.T @ wide / len(wide)


def weighted_space(queries: np.ndarray, exponent: float = WEIGHTING) -> tuple[np.ndarray, np.ndarray]:
    """float32[d, d] for items, and its inverse's transpose for queries.

    Inner products of mapped items and mapped queries are unchanged; the items' squared distances weight each direction by the
    queries' second moment to the power `exponent`.
    """
    values, vectors = np.linalg.eigh(second_moment(queries))
    values = np.maximum(values, values.max() * _LEAST_EIGENVALUE)
    for_items = (vectors * values ** (exponent / 2)) @ vectors.T
    for_queries = (vectors * values ** (-exponent / 2)) @ vectors.T
    return for_items.astype(np.float32), for_queries.astype(np.float32)


def number_of_cells(n_items: int) -> int:
    """About 3.2 times the square root of the catalogue, at most 2,000; within 25% of that a number that divides it evenly."""
    wanted = int(max(1, min(MOST_CELLS, round(_CELLS_PER_ROOT * n_items**0.5), n_items)))
    near = range(int(np.ceil(wanted / _NEAR)), int(wanted * _NEAR) + 1)
    divisors = [n for n in near if n_items % n == 0]
    return min(divisors, key=lambda n: (abs(n - wanted), n), default=wanted)


def divide(items: np.ndarray, queries: np.ndarray, n_cells: int, seed: int = 0) -> Partition:
    """Balanced k-means over items float32[n, d], weighted for queries float32[m, d].

    Memory is bounded: items are read in blocks, beside one weighted copy of them.
    """
    to_space, _ = weighted_space(queries)
    points = np.concatenate([items[i : i + _BLOCK] @ to_space for i in range(0, len(items), _BLOCK)])
    size = -(-len(items) // n_cells)
    centroids = k_means(points, n_cells, np.random.default_rng(seed))
    members = _members(balanced_assignment(points, centroids, size), n_cells, size)
    del points
    return Partition(members, learned_centroids(items, members, queries))


def k_means(points: np.ndarray, n_cells: int, rng: np.random.Generator) -> np.ndarray:
    """float32[n_cells, d] by Lloyd's algorithm on a sample; an empty cell keeps its centroid."""
    some = min(len(points), _SAMPLES_PER_CELL * n_cells)
    sample = points[np.sort(rng.choice(len(points), some, replace=False))]
    centroids = sample[rng.choice(len(sample), n_cells, replace=False)].copy()
    for _ in range(_ROUNDS):
        cell, _ = nearest_centroid(sample, centroids)
        order = np.argsort(cell, kind="stable")
        edges = np.searchsorted(cell[order], np.arange(n_cells + 1))
        full = np.flatnonzero(np.diff(edges))
        centroids[full] = np.add.reduceat(sample[order], edges[full]) / np.diff(edges)[full, None]
    return centroids


def nearest_centroid(points: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centroid of each point, int32[n], and how much farther the next one is, float32[n] (half squared)."""
    cell, regret = np.empty(len(points), np.int32), np.zeros(len(points), np.float32)
    half = (centroids**2).sum(axis=1) / 2
    for start in range(0, len(points), _BLOCK):
        distances = half - points[start : start + _BLOCK] @ centroids.T
        rows = np.arange(len(distances))
        first = distances.argmin(axis=1)
        cell[start : start + _BLOCK] = first
        if len(centroids) > 1:
            least = distances[rows, first]
            distances[rows, first] = np.inf
            regret[start : start + _BLOCK] = distances.min(axis=1) - least
    return cell, regret


def balanced_assignment(points: np.ndarray, centroids: np.ndarray, size: int) -> np.ndarray:
    """int32[n], the cell of each point, none with more than `size` points.

    Every point proposes to the nearest cell that is not full; a cell accepts those with most to lose elsewhere, and the others
    propose again.
    """
    cells = np.full(len(points), -1, np.int32)
    left, asking = np.full(len(centroids), size), np.arange(len(points))
    while len(asking):
        free = np.flatnonzero(left)
        nearest, regret = nearest_centroid(points[asking], centroids[free])
        wanted = free[nearest]
        order = np.lexsort((-regret, wanted))
        sorted_ = wanted[order]
        place = np.arange(len(order)) - np.searchsorted(sorted_, np.arange(len(centroids)))[sorted_]
        taken = place < left[sorted_]
        cells[asking[order[taken]]] = sorted_[taken]
        left = left - np.bincount(sorted_[taken], minlength=len(centroids))
        asking = np.sort(asking[order[~taken]])
    return cells


def _members(cells: np.ndarray, n_cells: int, size: int) -> np.ndarray:
    order = np.argsort(cells, kind="stable")
    counts = np.bincount(cells, minlength=n_cells)
    place = np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts)
    members = np.full((n_cells, size), -1, np.int32)
    members[cells[order], place] = order
    return members


def learned_centroids(items: np.ndarray, members: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """float32[n_cells, d]: the cells' means, adjusted by ridge regression to predict each query's best score within the cell.

    Source of the idea: Vecchiato et al. 2024, "A Learning-to-Rank Formulation of Clustering-Based Approximate Nearest Neighbor
    Search" (centroids are learned from queries); the regression is our own.
    """
    means, best = np.empty((len(members), items.shape[1]), np.float32), np.empty((len(queries), len(members)))
    for cell, row in enumerate(members):
        rows = items[row[row >= 0]]
        means[cell] = rows.mean(axis=0) if len(rows) else 0
        best[:, cell] = (queries @ rows.T).max(axis=1, initial=-1e4) if len(rows) else -1e4
    moment = second_moment(queries) * len(queries)
    ridge = _RIDGE * np.trace(moment) / len(moment) * np.eye(len(moment))
    wide = queries.astype(np.float64)
    moved = np.linalg.solve(moment + ridge, wide.T @ (best - wide @ means.T.astype(np.float64)))
    return (means + moved.T).astype(np.float32)
