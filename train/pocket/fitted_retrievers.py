"""Fitting each of the encoders of ../encoders.py."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TypeAlias

import numpy as np

from ...core.records.history_weights import HistoryWeights
from ...core.records.record import Json
from ..data.splits import SPLITS
from ..encoders import ENCODERS
from ..linear.history_weights import feedback_for
from ..linear.retriever import fit_linear
from ..transformer.settings import TransformerSettings
from ..transformer.training import fit_transformer
from .blend import blended
from .fit import carve, fit
from .known import Known
from .query_models import BlendQuery, LinearQuery, PoolingQuery, QueryModel, TransformerQuery
from .retriever import PocketRetrieval, RetrievalSettings

# Items of the history that a query takes. A sum over a history gains from more than a mean: with 200 the random split loses .010
# of NDCG@10. Validation may double the linear one.
LINEAR_WINDOW, POOLING_WINDOW, TRANSFORMER_WINDOW = 256, 200, 200
# Share of targets whose history ends before them, where what is held out comes after the history (RetrievalSettings.causal).
FUTURE_CAUSAL = 0.5


@dataclass(frozen=True)
class FittedRetriever:
    """A fitted retriever.

    Attributes:
        tables: what its query model and the candidates are made of.
        query_model: makes the query encoder of them.
        window: items of the history that it takes.
        settings: hyperparameters.
        curve: one row per epoch; empty where nothing is trained in epochs.
        weights: how the query weighs a history; None where it takes no ratings.
    """

    tables: dict[str, np.ndarray]
    query_model: type[QueryModel]
    window: int
    settings: Json
    curve: list[dict[str, float]] = field(default_factory=list)
    weights: HistoryWeights | None = None


# (what is known, key of `SPLITS`, seed, width of the vectors or None to choose it) to the fitted retriever.
Fit: TypeAlias = Callable[[Known, str, int, int | None], FittedRetriever]


def _linear(known: Known, split: str, seed: int, dimension: int | None) -> FittedRetriever:
    own = ENCODERS["linear"]
    widths = (own.dimension, *own.wider) if dimension is None else (dimension,)
    made = fit_linear(
        known.train,
        known.content,
        known.declared,
        split=split,
        seed=seed,
        window=LINEAR_WINDOW,
        ranks=[width - 1 for width in widths],
    )
    return FittedRetriever(made.tables, LinearQuery, made.settings.window, asdict(made.settings), weights=made.weights)


def _pooling(known: Known, split: str, seed: int, dimension: int | None) -> FittedRetriever:
    causal = FUTURE_CAUSAL if SPLITS[split].is_future else 0.0
    settings = replace(RetrievalSettings(), causal=causal, dimension=dimension or ENCODERS["pooling"].dimension)
    model = PocketRetrieval(
        known.seen, len(known.train.items), known.content, known.interests, settings, POOLING_WINDOW, seed
    )
    curve = fit(model, *carve(len(known.train), seed), settings, seed=seed)
    return FittedRetriever(model.folded(), PoolingQuery, POOLING_WINDOW, asdict(settings), curve)


def _transformer(known: Known, split: str, seed: int, dimension: int | None) -> FittedRetriever:
    settings = replace(TransformerSettings(), dimension=dimension or ENCODERS["transformer"].dimension)
    made = fit_transformer(
        known.train, known.content, known.interests, known.declared, settings, split=split, seed=seed
    )
    limit = feedback_for(known.train.rating, known.train.is_implicit, 0.0).disliked_at
    tables = {**made.tables, "disliked_at": np.array(limit, np.float32)}
    return FittedRetriever(tables, TransformerQuery, TRANSFORMER_WINDOW, asdict(settings), made.curve)


def _blend(known: Known, split: str, seed: int, dimension: int | None) -> FittedRetriever:
    width = dimension or ENCODERS["blend"].dimension
    first = _linear(known, split, seed, width - width // 2)
    second = _transformer(known, split, seed, width // 2)
    tables = blended(first.tables, second.tables, known, split, first.window)
    settings = {"dimension": width, "linear": first.settings, "transformer": second.settings}
    return FittedRetriever(tables, BlendQuery, first.window, settings, second.curve)


_FITS: dict[str, Fit] = {"linear": _linear, "pooling": _pooling, "transformer": _transformer, "blend": _blend}


def timed_fit(name: str, known: Known, split: str, seed: int, dimension: int | None) -> tuple[FittedRetriever, float]:
    """The fitted retriever of that name, and the seconds it took."""
    started = time.monotonic()
    return _FITS[name](known, split, seed, dimension), time.monotonic() - started
