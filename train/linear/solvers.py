"""From ratings and hyperparameters to item factors, by the method that the size of the catalogue allows."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np
from scipy import sparse

from ...core.queries.histories import Histories
from .co_occurrence import Sums, future_sums, interactions, pair_sums
from .item_weights import Factors, Solution, solved, svd_factors, whole_weights
from .settings import LinearSettings
from .wide import WideSolution

# Above this, or where eight matrices of items by items would take more than half of the free memory, the SVD takes over: the
# closed form costs items ** 3.
MOST_EXACT_ITEMS, MATRICES = 20_000, 8
# From so many items on, and where there are this many times fewer users, the closed form is solved over users.
WIDE_ITEMS, WIDER, MOST_USERS = 3_000, 2, 10_000

# From weights of histories, float64[n, n_items], to scores float64[n, n_items].
Reader: TypeAlias = Callable[[sparse.csr_matrix], np.ndarray]


class Solver(Protocol):
    """Factors of the items for settings; what does not depend on them is computed once."""

    def factors(self, settings: LinearSettings) -> Factors: ...

    def whole(self, ridge: float) -> Reader | None:
        """EASE's weights of all pairs, neither cut to a rank nor with genres or the future; None where they are out of reach."""
        ...


def method_for(n_items: int, n_users: int) -> str:
    """The key of `SOLVERS`: `wide` for a catalogue much wider than its users are many, `exact`, or `svd` for one that the closed
    form is too large for here."""
    if n_items >= max(WIDE_ITEMS, WIDER * n_users) and n_users <= MOST_USERS:
        return "wide"
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fits = MATRICES * 8 * n_items**2 <= free / 2
    return "exact" if n_items <= MOST_EXACT_ITEMS and fits else "svd"


def genre_rows(genres: Sequence[Sequence[str]], weight: float) -> sparse.csr_matrix:
    """float64[n_genres, n_items]: each genre as a user who has all its items, scaled to length `weight`."""
    names = sorted({genre for row in genres for genre in row})
    index = {name: number for number, name in enumerate(names)}
    pairs = [(index[genre], item) for item, row in enumerate(genres) for genre in sorted(set(row))]
    row, column = np.array(pairs, np.int64).reshape(-1, 2).T
    sizes = np.maximum(np.bincount(row, minlength=len(names)), 1)
    return sparse.csr_matrix((weight / np.sqrt(sizes[row]), (row, column)), (len(names), len(genres)))


@dataclass(frozen=True)
class ExactSolver:
    """The closed form; O(items ** 3) time, O(items ** 2) memory."""

    seen: Histories
    genres: Sequence[Sequence[str]]

    @cached_property
    def _pairs(self) -> np.ndarray:
        return pair_sums(interactions(self.seen, len(self.genres)))

    @cached_property
    def _futures(self) -> dict[float, Sums]:
        return {}

    @cached_property
    def _solutions(self) -> dict[tuple[float, float, float, float], Solution]:
        return {}

    def factors(self, settings: LinearSettings) -> Factors:
        key = settings.ridge, settings.future, settings.recency if settings.future else 0.0, settings.genre_weight
        if key not in self._solutions:
            self._solutions.clear()  # only the last: its matrices may be large
            self._solutions[key] = self._solved(settings)
        return self._solutions[key].cut(settings.rank)

    def whole(self, ridge: float) -> Reader:
        """As `Solver.whole`."""
        weights = whole_weights(self._pairs, ridge)
        return lambda histories: np.asarray(histories @ weights)

    def _solved(self, settings: LinearSettings) -> Solution:
        gram = cross = self._pairs
        if settings.future:
            if settings.recency not in self._futures:
                self._futures[settings.recency] = future_sums(self.seen, len(self.genres), settings.recency)
            later = self._futures[settings.recency]
            gram, cross = gram + settings.future * later.gram, cross + settings.future * later.cross
        # As much beside a larger gram: a genre stays as long as `genre_weight` of its events.
        growth = np.sqrt(np.trace(gram) / max(np.trace(self._pairs), 1e-9))
        by_genre = pair_sums(genre_rows(self.genres, settings.genre_weight * float(growth)))
        return solved(Sums(gram + by_genre, cross + by_genre), settings.ridge)


@dataclass(frozen=True)
class WideSolver:
    """The closed form over users; O(users ** 2) memory. It takes no regression on the future."""

    seen: Histories
    genres: Sequence[Sequence[str]]

    @cached_property
    def _users(self) -> sparse.csr_matrix:
        events = interactions(self.seen, len(self.genres))
        return sparse.csr_matrix(events[np.flatnonzero(np.diff(self.seen.offsets))])

    def factors(self, settings: LinearSettings) -> Factors:
        rows = sparse.vstack([self._users, genre_rows(self.genres, settings.genre_weight)])
        return WideSolution(sparse.csr_matrix(rows), settings.ridge).cut(settings.rank)

    def whole(self, ridge: float) -> Reader:
        """As `Solver.whole`."""
        return WideSolution(self._users, ridge).read


@dataclass(frozen=True)
class SvdSolver:
    """The truncated SVD; O(ratings * rank) time and memory. It takes no regression on the future."""

    seen: Histories
    genres: Sequence[Sequence[str]]

    def whole(self, ridge: float) -> None:
        """Out of reach."""

    def factors(self, settings: LinearSettings) -> Factors:
        events = interactions(self.seen, len(self.genres))
        rows = sparse.vstack([events, genre_rows(self.genres, settings.genre_weight)])
        return svd_factors(sparse.csr_matrix(rows), settings.ridge, settings.rank)


SOLVERS = {"exact": ExactSolver, "wide": WideSolver, "svd": SvdSolver}
