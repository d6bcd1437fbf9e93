"""The `pocket` preset: recommenders that know no user id, from a history and declared preferences."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...core.documents import write_json
from ...core.queries.histories import Histories
from ..data.item_content import (
    Indicators,
    declared_preferences,
    favourite_genres,
    indicators,
    item_content,
    preference_vocabulary,
)
from ..data.ratings import Ratings, histories
from ..data.splits import SPLITS
from ..trained_models import TrainedModels, TrainingOptions
from .content_vectors import CONTENT_FILE, ContentTable
from .fit import carve, fit
from .models import Models, evaluate
from .ranker import PocketRanking, RankingSettings
from .retriever import PocketRetrieval, RetrievalSettings

# Items of the history that a query takes; 200 keeps .8934 of .8921 RMSE (100: .901, 50: .913), see decision 18.
WINDOW = 200
# Share of targets whose history ends before them, where what is held out comes after the history (RetrievalSettings.causal).
FUTURE_CAUSAL = 0.5


@dataclass(frozen=True)
class _Known:
    """What both models are trained on.

    Attributes:
        vocabulary: declared preferences, the columns of `declared` and `interests`.
        content: of items.
        declared: preferences that users of the data declared.
        interests: the same and each user's favourite genres, which stand in for declared ones.
    """

    train: Ratings
    seen: Histories
    vocabulary: list[str]
    content: Indicators
    declared: Indicators
    interests: Indicators


def train_pocket(train: Ratings, test: Ratings, options: TrainingOptions) -> TrainedModels:
    """Train ranker and retriever on `train` only; `test` is evaluated on, and chooses nothing.

    Raises:
        CheckFailed: the loss is not a number any more.
    """
    known, seed = _known(train), options.seed
    fitted, watched = carve(len(train), seed)
    started = time.monotonic()
    ranking, ranking_settings, ranking_curve = None, RankingSettings(), []
    if not train.is_implicit:
        ranking = PocketRanking(train, known.content, known.declared, ranking_settings, seed)
        ranking_curve = fit(ranking, fitted, watched, ranking_settings, seed=seed)
    ranking_s, started = time.monotonic() - started, time.monotonic()
    causal = FUTURE_CAUSAL if SPLITS[options.split].is_future else 0.0
    retrieval_settings = replace(RetrievalSettings(), causal=causal)
    retrieval = PocketRetrieval(
        known.seen, len(train.items), known.content, known.interests, retrieval_settings, WINDOW, seed
    )
    retrieval_curve = fit(retrieval, fitted, watched, retrieval_settings, seed=seed)
    retrieval_s = time.monotonic() - started
    tables = retrieval.folded()
    models = Models(train, known.vocabulary, WINDOW, ranking.folded() if ranking else None, tables)
    exports, scann = models.exports(known.seen, test)
    content = ContentTable(known.content.tokens, tables["content"], float(tables["unrated"]))
    curves = {"ranking": ranking_curve, "retrieval": retrieval_curve}
    return TrainedModels(
        exports=exports,
        candidates=models.candidates,
        metrics=evaluate(models, train, test, known.declared.dense()),
        scann=scann,
        seconds={"ranking": ranking_s, "retrieval": retrieval_s},
        window=WINDOW,
        preferences=known.vocabulary,
        settings={"ranking": asdict(ranking_settings), "retrieval": asdict(retrieval_settings)},
        files={CONTENT_FILE: content.write, "curves.json": lambda path: _write_curves(path, curves)},
    )


def _known(train: Ratings) -> _Known:
    vocabulary, seen = preference_vocabulary(train), histories(train)
    declared, favourites = declared_preferences(train), favourite_genres(train, seen)
    interests = [a + b for a, b in zip(declared, favourites, strict=True)]
    return _Known(
        train,
        seen,
        vocabulary,
        item_content(train),
        indicators(declared, vocabulary),
        indicators(interests, vocabulary),
    )


def _write_curves(path: Path, curves: dict[str, list[dict[str, float]]]) -> None:
    write_json(path, {"schema": "pocketrec.curves/1", **curves})
