"""Choosing hyperparameters on validation carved from the training part by the run's own way of holding out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..data.item_content import Indicators
from ..data.ratings import Ratings
from ..data.splits import SPLITS
from .content import filled, filled_share, rows_by_content
from .history_weights import feedback_for
from .item_weights import Factors
from .preferences import audience_rows
from .settings import LinearSettings
from .solvers import SOLVERS, Solver, method_for
from .validation import LEAST_HELD_OUT, Validation, popularity_of, validation_of

log = logging.getLogger(__name__)

RECENCIES, FUTURES = (0.0, 0.35, 0.7, 1.0, 1.3), (0.0, 1.0, 3.0, 9.0)
RIDGES = (4.7, 9.4, 18.75, 37.5, 75.0, 150.0, 300.0, 600.0, 1200.0, 2400.0, 4800.0)
SLOPES = (0.0, 0.5)
CONTENT_SCALES = (1.05, 0.8, 0.6, 0.4, 0.2)
# A low rank is wide enough when it is worth this share of EASE's whole matrix on validation, or when the next is neither that nor
# this much better. See the decision record on width.
WIDE_ENOUGH, WORTH_WIDENING = 0.995, 1.015
# No window is longer: a query's time grows with it.
MOST_WINDOW = 2048
DECLARED_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4)
POPULARITIES = (0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.6, 1.0, 3.0)
# The least weight is taken that is worth this share of the best one: short histories are drawn at random, so what is worth a little
# more under one seed is worth a little less under another.
NEARLY_AS_GOOD, AS_GOOD = 0.99, 0.998
# What whole histories keep of their best beside what serves others: popularity short histories, content items without ratings.
LITTLE_LOST = 0.997


def tuned_settings(
    train: Ratings,
    content: Indicators,
    declared: Indicators,
    *,
    split: str,
    seed: int,
    window: int,
    ranks: Sequence[int],
) -> LinearSettings:
    """Settings that do best on a part of `train`; the defaults where there is too little to choose on. Deterministic.

    One hyperparameter after the other is searched from the best so far: recency, future, ridge, width, popularity,
    preferences, content, ratings.

    Args:
        window: the shortest; it is doubled with each next rank while histories are longer.
        ranks: narrowest first; the first that is wide enough is taken.
    """
    method = method_for(len(train.items), len(train.users))
    log.info(f"{len(train.items):,} items: solving by method {method}")
    is_future = SPLITS[split].is_future
    possible = sorted({min(rank, max(1, len(train.items) - 1)) for rank in ranks})
    start = LinearSettings(
        method=method,
        rank=possible[0],
        window=window,
        recency=0.7 if is_future else 0.0,
        future=1.0 if is_future and method == "exact" else 0.0,
    )
    if not train.has_timestamps:
        log.info("no timestamps: every item of a history counts the same, wherever it stands")
    validation = validation_of(train, split, seed)
    if validation is None:
        log.info(f"fewer than {LEAST_HELD_OUT} events to choose hyperparameters on: the defaults are taken")
        return start
    search = _Search(validation, SOLVERS[method](validation.seen, train.genres), replace(start, popularity=0.0))
    if is_future:
        search.climb("recency", RECENCIES)
        if method == "exact":
            search.climb("future", FUTURES)
    search.climb("ridge", RIDGES)
    search.widen(possible[1:])
    search.choose_popularity()
    search.choose_declared_weight(declared)
    search.choose_content_scale(content)
    if not train.is_implicit:
        search.choose_slope(train)
    return search.best


class _Search:
    """Coordinate search: the best settings so far, and every value tried."""

    def __init__(self, validation: Validation, solver: Solver, start: LinearSettings) -> None:
        self.validation, self.solver, self.best = validation, solver, start
        self._factors: dict[LinearSettings, Factors] = {}
        self._values: dict[LinearSettings, float] = {}

    def _fitted(self, settings: LinearSettings) -> Factors:
        key = replace(settings, popularity=0.0, rating_slope=0.0, declared_weight=0.0, window=0)
        if key not in self._factors:
            self._factors = {key: self.solver.factors(settings)}  # only the last: a table may be large
        return self._factors[key]

    def value(self, settings: LinearSettings) -> float:
        """What these settings are worth on validation."""
        if settings not in self._values:
            try:
                self._values[settings] = self.validation.value(self._fitted(settings), settings)
            except np.linalg.LinAlgError:
                self._values[settings] = -np.inf  # a larger ridge is tried next
            log.info(f"validation {self._values[settings]:.4f} with {_said(settings)}")
        return self._values[settings]

    def climb(self, name: str, values: Sequence[float]) -> None:
        """Walk along `values` from the present one for as long as it gets better."""
        at = values.index(getattr(self.best, name))
        for step in (1, -1):
            while 0 <= at + step < len(values):
                tried = replace(self.best, **{name: values[at + step]})
                if self.value(tried) <= self.value(self.best):
                    break
                self.best, at = tried, at + step

    def widen(self, ranks: Sequence[int]) -> None:
        """Take the next rank and twice the window, at the ridge that suits them, for as long as the present ones lose what EASE's
        whole matrix finds."""
        longest = min(int(np.diff(self.validation.seen.offsets).max()), MOST_WINDOW)
        enough = WIDE_ENOUGH * self._whole_value() if ranks else 0.0
        for rank in ranks:
            narrow = self.best
            if self.value(narrow) >= enough:
                break
            window = narrow.window if narrow.window >= longest else 2 * narrow.window
            self.best = replace(narrow, rank=rank, window=window)
            self.climb("ridge", RIDGES)
            if self.value(self.best) < min(enough, WORTH_WIDENING * self.value(narrow)):
                self.best = narrow
                break

    def _whole_value(self) -> float:
        """What EASE's whole matrix is worth on validation at its best ridge, which is no smaller than a low rank's; infinity where
        it is out of reach."""
        best = -np.inf
        for ridge in RIDGES[RIDGES.index(self.best.ridge) :]:
            read = self.solver.whole(ridge)
            if read is None:
                return np.inf
            value = self.validation.value_of_whole(read)
            log.info(f"validation {value:.4f} with the whole matrix, ridge {ridge:g}")
            if value <= best:
                break
            best = value
        return best

    def choose_popularity(self) -> None:
        """Of the weights that cost whole histories little, the least that is nearly as good as the best for short ones.

        Recall hardly tells a list of what is popular from one of what is alike; people do.
        """
        short, factors = self.validation.shortened(), self._fitted(self.best)
        tried = [replace(self.best, popularity=weight) for weight in POPULARITIES]
        whole = [self.validation.value(factors, each) for each in tried]
        harmless = [each for each, value in zip(tried, whole, strict=True) if value >= LITTLE_LOST * max(whole)]
        values = [self.validation.value(factors, each, seen=short) for each in harmless]
        self.best = harmless[first_nearly_best(values, NEARLY_AS_GOOD)]
        log.info(f"validation chose popularity {self.best.popularity:g}")

    def choose_declared_weight(self, declared: Indicators) -> None:
        """By whole histories and short ones, as popularity."""
        audiences = audience_rows(declared, self.validation.seen, self._fitted(self.best), self.validation.n_items)
        if not audiences.any():
            return
        marks, short = declared.dense(), self.validation.shortened()

        def value(factors: Factors, tried: LinearSettings) -> float:
            added = tried.declared_weight * (marks @ audiences)
            long = self.validation.value(factors, tried, declared=added)
            return long + self.validation.value(factors, tried, declared=added, seen=short)

        self._take("declared_weight", DECLARED_WEIGHTS, value, AS_GOOD)

    def choose_content_scale(self, content: Indicators) -> None:
        """The largest that costs whole histories little: items that nobody rated may come, but not in the way of others."""
        factors, share = self._fitted(self.best), popularity_of(self.validation.seen, self.validation.n_items)
        if share.all() or not share.any():
            return
        rows, popular = rows_by_content(factors.candidates, share, content), filled_share(share)
        items = filled(factors.candidates, share, content, rows)
        tried = [replace(self.best, content_scale=scale) for scale in CONTENT_SCALES]
        values = []
        for each in tried:
            scaled = np.where((share > 0)[:, None], items, each.content_scale * items)
            values.append(self.validation.value(Factors(factors.history, scaled), each, share=popular))
            log.info(f"validation {values[-1]:.4f} with content_scale {each.content_scale:g}")
        self.best = tried[first_nearly_best(values, LITTLE_LOST)]
        log.info(f"validation chose content_scale {self.best.content_scale:g}")

    def choose_slope(self, train: Ratings) -> None:
        """By what is liked of the held-out items, with the ratings of the history known."""

        def value(factors: Factors, tried: LinearSettings) -> float:
            feedback = feedback_for(train.rating, train.is_implicit, tried.rating_slope)
            return self.validation.value(factors, tried, feedback=feedback)

        self._take("rating_slope", SLOPES, value)

    def _take(
        self,
        name: str,
        values: Sequence[float],
        value: Callable[[Factors, LinearSettings], float],
        share: float = 1.0,
    ) -> None:
        factors = self._fitted(self.best)
        tried = [replace(self.best, **{name: each}) for each in values]
        self.best = tried[first_nearly_best([value(factors, each) for each in tried], share)]
        log.info(f"validation chose {name} {getattr(self.best, name):g}")


def first_nearly_best(values: Sequence[float], share: float) -> int:
    """Place of the first of `values` that is at least `share` of the largest."""
    return next(place for place, value in enumerate(values) if value >= share * max(values))


def _said(settings: LinearSettings) -> str:
    names = ("ridge", "recency", "future", "rank", "window")
    return ", ".join(f"{name} {getattr(settings, name):g}" for name in names)
