"""Synthetic catalogues larger than the trained one, so that retrieval can be measured at those sizes.

Items are drawn from a mixture of Gaussians fitted to the trained embeddings: k-means components (as many as the square root of
the catalogue), each with its own mean, share and covariance; a component's covariance is that of its members, shrunk towards the
average one as if there were `SHRINKAGE` more items of it (mean of a normal-inverse-Wishart prior: Murphy 2012, section 4.6.3). A
single Gaussian has the same singular values but neighbours that are too far apart; copies with noise have neighbours too close.

Queries are not synthetic: they are those of trained held-out users, who live in the same space.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...convert.retrieval.partitioning import k_means, nearest_centroid
from ...core.errors import InputError

SHRINKAGE = 8.0
_BLOCK = 65_536
# How far a synthetic catalogue may be from the trained one, over as many of its items. Measured gaps of spectrum and neighbours:
# synthetic 0.009 to 0.018 and 0.07 to 0.14, two halves of a trained one 0.012 to 0.017 and 0.04 to 0.06, one Gaussian with its
# covariance 0.016 and 0.40 to 0.47, noise without structure 0.41 to 0.53 and 0.89 to 0.98, copies of its items with little noise
# 0.017 and 0.62 to 0.64.
MOST_SPECTRUM_GAP, MOST_NEIGHBOUR_GAP = 0.08, 0.2


@dataclass(frozen=True)
class Mixture:
    """Where items lie.

    Attributes:
        shares: float64[c], of the catalogue.
        means: float64[c, d].
        roots: float64[c, d, d], Cholesky factors of the covariances.
    """

    shares: np.ndarray
    means: np.ndarray
    roots: np.ndarray


def fit_mixture(items: np.ndarray, seed: int = 0) -> Mixture:
    """Fit to embeddings float32[n, d]."""
    wide, d = items.astype(np.float64), items.shape[1]
    centroids = k_means(wide, max(1, round(len(wide) ** 0.5)), np.random.default_rng(seed))
    cell, _ = nearest_centroid(wide, centroids)
    members = [wide[cell == c] for c in np.unique(cell)]
    scatters = np.stack([(rows - rows.mean(axis=0)).T @ (rows - rows.mean(axis=0)) for rows in members])
    counts = np.array([len(rows) for rows in members])
    average = scatters.sum(axis=0) / max(1, len(wide) - len(members))
    covariances = (scatters + SHRINKAGE * average) / (counts + SHRINKAGE)[:, None, None]
    tiny = 1e-9 * np.trace(average) / d * np.eye(d)
    return Mixture(
        counts / counts.sum(), np.stack([rows.mean(axis=0) for rows in members]), np.linalg.cholesky(covariances + tiny)
    )


def grow(mixture: Mixture, n_items: int, path: Path, seed: int = 0) -> np.ndarray:
    """Draw a catalogue into `path` (.npy, float32[n_items, d]) block by block; returns it memory-mapped."""
    rng, d = np.random.default_rng(seed), mixture.means.shape[1]
    grown: np.memmap = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_items, d))
    for start in range(0, n_items, _BLOCK):
        size = min(_BLOCK, n_items - start)
        component, noise = rng.choice(len(mixture.shares), size, p=mixture.shares), rng.standard_normal((size, d))
        for c in np.unique(component):
            rows = np.flatnonzero(component == c)
            noise[rows] = mixture.means[c] + noise[rows] @ mixture.roots[c].T
        grown[start : start + size] = noise
    grown.flush()
    return np.load(path, mmap_mode="r")


def projection(items: np.ndarray, dimension: int) -> np.ndarray:
    """float32[d, dimension] onto the catalogue's leading right singular vectors, uncentred since dot products are what counts.

    Raises:
        InputError: more dimensions than there are.
    """
    if not 1 <= dimension <= items.shape[1]:
        expected = f"1 to {items.shape[1]}, the run's own"
        raise InputError(
            "--dimension", expected=expected, given=dimension, do="choose a smaller one", code="VALUE_OUT_OF_RANGE"
        )
    if dimension == items.shape[1]:
        return np.eye(dimension, dtype=np.float32)
    return np.linalg.svd(items.astype(np.float64), full_matrices=False)[2][:dimension].T.astype(np.float32)


@dataclass(frozen=True)
class Likeness:
    """How much a catalogue resembles the trained one.

    Attributes:
        spectrum_gap: summed absolute difference of the singular values as shares of their sum; 0 for equal, at most 2.
        length_gap, neighbour_gap: Kolmogorov-Smirnov distances of the rows' lengths and of the distances to the nearest neighbour;
            0 for equal, at most 1.
        neighbour_median, neighbour_median_trained: medians of those distances.
    """

    spectrum_gap: float
    length_gap: float
    neighbour_gap: float
    neighbour_median: float
    neighbour_median_trained: float

    @property
    def resembles(self) -> bool:
        """Whether the gaps are within bounds."""
        return self.spectrum_gap <= MOST_SPECTRUM_GAP and self.neighbour_gap <= MOST_NEIGHBOUR_GAP


def likeness(grown: np.ndarray, trained: np.ndarray, seed: int = 0) -> Likeness:
    """Compare catalogues float32[n, d], over as many items as the trained one has."""
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(len(grown), min(len(grown), len(trained)), replace=False))
    rows = np.asarray(grown[some], np.float64)
    near, near_trained = _neighbours(rows), _neighbours(trained.astype(np.float64))
    return Likeness(
        spectrum_gap=float(np.abs(_spectrum(rows) - _spectrum(trained.astype(np.float64))).sum()),
        length_gap=_ks(np.linalg.norm(rows, axis=1), np.linalg.norm(trained, axis=1)),
        neighbour_gap=_ks(near, near_trained),
        neighbour_median=float(np.median(near)),
        neighbour_median_trained=float(np.median(near_trained)),
    )


def _spectrum(rows: np.ndarray) -> np.ndarray:
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    return values / values.sum()


def _neighbours(rows: np.ndarray) -> np.ndarray:
    squares = (rows**2).sum(axis=1)
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), 2048):
        block = slice(start, min(start + 2048, len(rows)))
        distances = squares[block, None] - 2 * rows[block] @ rows.T + squares
        distances[np.arange(block.stop - start), np.arange(start, block.stop)] = np.inf
        nearest[block] = np.sqrt(np.maximum(distances.min(axis=1), 0))
    return nearest


def _ks(left: np.ndarray, right: np.ndarray) -> float:
    """Kolmogorov-Smirnov distance of two samples."""
    from scipy.stats import ks_2samp

    return float(np.asarray(ks_2samp(left, right))[0])
