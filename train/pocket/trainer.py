"""The `pocket` preset: recommenders that know no user id, from a history and declared preferences."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from ...core.documents import HISTORY_WEIGHTS_SCHEMA, write_json
from ...core.records.history_weights import HistoryWeights
from ...core.run_dir import HISTORY_WEIGHTS
from ..data.ratings import Ratings
from ..encoders import DEFAULT_ENCODER
from ..trained_models import TrainedModels, TrainingOptions
from .choice import choose_encoder
from .content_vectors import CONTENT_FILE, ContentTable
from .fit import carve, fit
from .fitted_retrievers import timed_fit
from .known import known_of
from .models import Models, evaluate
from .ranker import PocketRanking, RankingSettings

log = logging.getLogger(__name__)


def train_pocket(train: Ratings, test: Ratings, options: TrainingOptions) -> TrainedModels:
    """Train ranker and retriever on `train` only; `test` is evaluated on, and chooses nothing.

    Raises:
        CheckFailed: the loss is not a number any more.
    """
    known, seed = known_of(train), options.seed
    started = time.monotonic()
    ranking, ranking_settings, ranking_curve = None, RankingSettings(), []
    if not train.is_implicit:
        ranking = PocketRanking(train, known.content, known.declared, ranking_settings, seed)
        ranking_curve = fit(ranking, *carve(len(train), seed), ranking_settings, seed=seed)
    ranking_s = time.monotonic() - started
    started = time.monotonic()
    choice = choose_encoder(options.encoder or DEFAULT_ENCODER, train, options.split, seed, options.dimension)
    if choice.reason:
        log.info(f"encoder {choice.encoder}: {choice.reason}")
    retriever, _ = timed_fit(choice.encoder, known, options.split, seed, options.dimension)
    retrieval_s = time.monotonic() - started
    tables = retriever.tables
    models = Models(
        train,
        known.vocabulary,
        retriever.window,
        ranking.folded() if ranking else None,
        tables,
        retriever.query_model,
    )
    exports, scann = models.exports(known.seen, test)
    content = ContentTable(known.content.tokens, tables["content"], float(tables["unrated"]))
    curves = {"ranking": ranking_curve, "retrieval": retriever.curve}
    files: dict[str, Callable[[Path], None]] = {
        CONTENT_FILE: content.write,
        "curves.json": lambda path: _write_curves(path, curves),
    }
    if retriever.weights is not None:
        files[HISTORY_WEIGHTS] = partial(_write_weights, weights=retriever.weights)
    return TrainedModels(
        exports=exports,
        candidates=models.candidates,
        metrics=evaluate(models, train, test, known.declared.dense()),
        scann=scann,
        seconds={"ranking": ranking_s, "retrieval": retrieval_s},
        window=retriever.window,
        preferences=known.vocabulary,
        settings={"ranking": asdict(ranking_settings), "retrieval": {**asdict(choice), **retriever.settings}},
        files=files,
    )


def _write_weights(path: Path, weights: HistoryWeights) -> None:
    write_json(path, {"schema": HISTORY_WEIGHTS_SCHEMA, **weights.to_json()})


def _write_curves(path: Path, curves: dict[str, list[dict[str, float]]]) -> None:
    write_json(path, {"schema": "pocketrec.curves/1", **curves})
