"""The baselines that a trained model is compared with; NumPy only, and the test part chooses nothing.

They are written out here, in about 200 lines, because lenskit brings PyTorch with its CUDA packages, several gigabytes, for the
same five models.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ...core.errors import pick
from ...core.records.run import BaselineRow
from ..data.ratings import Ratings
from .biases import fit_bias_model
from .ease import fit_ease
from .fitted import Fitted, quality
from .interactions import MAX_SQUARE_ITEMS, square_limit
from .item_knn import fit_item_knn
from .matrix_factorisation import fit_matrix_factorisation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Baseline:
    """One reference model.

    Attributes:
        source: publication its formulas come from.
        fit: training ratings to the fitted model; deterministic. On implicit data nothing predicts ratings.
        max_items: largest catalogue it is fitted on; None for any.
    """

    source: str
    fit: Callable[[Ratings], Fitted]
    max_items: int | None = None


def fit_popularity(train: Ratings) -> Fitted:
    """Scores every item by its number of training events."""
    counts = np.bincount(train.item, minlength=len(train.items)).astype(np.float32)
    return Fitted(score=lambda users: np.tile(counts, (len(users), 1)))


BASELINES = {
    "popularity": Baseline("Cremonesi, Koren & Turrin, RecSys 2010 (TopPop)", fit_popularity),
    "bias": Baseline("Koren, Bell & Volinsky, IEEE Computer 42(8), 2009", fit_bias_model),
    "item_knn": Baseline("Sarwar et al., WWW 2001; Koren, TKDD 4(1), 2010", fit_item_knn, MAX_SQUARE_ITEMS),
    "ease": Baseline("Steck, WWW 2019", fit_ease, MAX_SQUARE_ITEMS),
    "matrix_factorisation": Baseline("Koren et al. 2009; Hu, Koren & Volinsky, ICDM 2008", fit_matrix_factorisation),
}


@dataclass(frozen=True)
class FittedBaseline:
    """A baseline after fitting.

    Attributes:
        fitted: what it offers; nothing where it was skipped.
        seconds: fitting.
        skipped: why there is nothing to measure; None where there is.
    """

    name: str
    fitted: Fitted
    seconds: float
    skipped: str | None

    @property
    def source(self) -> str:
        """Publication its formulas come from."""
        return BASELINES[self.name].source


def fitted_baselines(train: Ratings, *, names: Iterable[str] = ()) -> Iterator[FittedBaseline]:
    """Fit on `train`, one after another, so that one at a time is held: those named, or all of `BASELINES`.

    Raises:
        InputError: an unknown name; before anything is fitted.
    """
    chosen = [pick("baselines", name, BASELINES) for name in names] or list(BASELINES)
    return (_fitted(name, train, f"{number} of {len(chosen)}") for number, name in enumerate(chosen, 1))


def _fitted(name: str, train: Ratings, place: str) -> FittedBaseline:
    log.info(f"fitting baseline {place}: {name}")
    baseline = BASELINES[name]
    if baseline.max_items is not None and (limit := square_limit(len(train.items), baseline.max_items)):
        return FittedBaseline(name, Fitted(), 0.0, limit)
    start = time.perf_counter()
    fitted = baseline.fit(train)
    offers = fitted.score is not None or fitted.predict is not None
    skipped = None if offers else "implicit data: there are no two different ratings"
    return FittedBaseline(name, fitted, time.perf_counter() - start, skipped)


def evaluate_baselines(train: Ratings, test: Ratings, *, names: Iterable[str] = ()) -> list[BaselineRow]:
    """Fit on `train` and measure on `test`: one row per name, in that order; all of `BASELINES` without names.

    Raises:
        InputError: an unknown name.
    """
    rows = []
    for each in fitted_baselines(train, names=names):
        start = time.perf_counter()
        found = quality(each.fitted, train, test)
        seconds = each.seconds + (time.perf_counter() - start if found else 0.0)
        rows.append(_row(each.name, BASELINES[each.name], found, seconds, each.skipped))
    return rows


def _row(name: str, baseline: Baseline, found: dict[str, float], seconds: float, skipped: str | None) -> BaselineRow:
    return BaselineRow(
        model=name,
        rmse=found.get("rmse"),
        recall_at_10=found.get("recall_at_10"),
        recall_at_100=found.get("recall_at_100"),
        ndcg_at_10=found.get("ndcg_at_10"),
        seconds=seconds,
        skipped=skipped,
        source=baseline.source,
    )
