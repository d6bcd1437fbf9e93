"""The train stage: ratings in, RUN/trained out."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.documents import write_json
from ..core.errors import InputError, pick
from ..core.files.atomic import atomic_dir, require_empty
from ..core.records.run import RowReport
from ..core.run_dir import Run
from .data.datasets import DATASETS, DEFAULT_DATASET
from .data.files.columns import is_table, parse_columns
from .data.items_by import ItemsBy
from .data.ratings import Ratings, by_popularity, split_ratings
from .data.splits import DEFAULT_SPLIT, SPLITS
from .encoders import DEFAULT_ENCODER, ENCODERS, MOST_DIMENSION
from .evaluation.doubts import doubts
from .presets import DEFAULT_PRESET, PRESETS, Preset
from .run_files import Parts, run_record, write_models
from .tensorflow_setup import require_keras_2
from .trained_models import TrainedModels, TrainingOptions

log = logging.getLogger(__name__)

DEFAULT_SEED = 42

PathLike = str | os.PathLike[str]
Loader = Callable[[ItemsBy], tuple[Ratings, RowReport | None]]


def train(
    out: PathLike,
    *,
    data: PathLike = DEFAULT_DATASET,
    preset: str = DEFAULT_PRESET,
    split: str = DEFAULT_SPLIT,
    seed: int = DEFAULT_SEED,
    data_dir: PathLike | None = None,
    train_metrics: bool = False,
    encoder: str | None = None,
    dimension: int | None = None,
    columns: str = "",
    item_features: PathLike | None = None,
    user_features: PathLike | None = None,
    evaluate_baselines: bool = False,
) -> Run:
    """Train a recommender and write RUN/trained; nothing is left behind when it fails.

    The baselines come last, after RUN/trained is complete: interrupting them leaves a finished run.

    Args:
        out: the run to create; must not hold anything yet.
        data: a key of `DATASETS`, or a CSV or Parquet file of ratings.
        preset: a key of `PRESETS`.
        split: a key of `SPLITS`.
        seed: seeds the split, the initial weights and the order of training; 0 to 2**32 - 1.
        data_dir: where a named dataset is looked for first; see its loader.
        train_metrics: also compute retrieval metrics while training (slow), for presets that have them.
        encoder: a key of `ENCODERS`, for presets that have encoders; the default when None.
        dimension: width of query and candidate vectors, for presets that have encoders; where None, the encoder's own, or as
            wide as validation finds that the linear encoder needs.
        columns: `user=...,item=...` for a file whose columns have other names.
        item_features, user_features: optional files about items and users, for a file of ratings.
        evaluate_baselines: then call `evaluate_run` with baselines.

    Returns:
        The finished run.

    Raises:
        InputError: an argument or the data is wrong; arguments are checked before anything slow.
        CheckFailed: training diverged, or a SavedModel does not answer as the trained model did.
    """
    run, chosen = Run(Path(out)), PRESETS[pick("--preset", preset, PRESETS)]
    load = _loader(data, data_dir, columns, item_features, user_features)
    _check_options(chosen, preset, split, seed, train_metrics)
    _check_encoder(chosen, preset, encoder, dimension)
    require_keras_2()
    require_empty(run.root)
    options = TrainingOptions(seed, split, train_metrics, encoder, dimension)
    with atomic_dir(run.trained) as folder:
        _train_into(folder, preset, load, options)
    if evaluate_baselines:
        from .evaluation.stage import evaluate_run

        evaluate_run(run, baselines=True)
    return run


def _train_into(folder: Path, preset: str, load: Loader, options: TrainingOptions) -> None:
    """Load, split, train and write everything that RUN/trained holds."""
    chosen = PRESETS[preset]
    ratings, report = load(chosen.items_by)
    parts = _split(chosen, ratings, options.split, options.seed)
    log.info(f"training {preset} on {len(parts.train):,} ratings, {len(parts.test):,} held out")
    models, seconds = _fitted(chosen, parts, options)
    log.info("saving SavedModels, loading each again and comparing")
    write_models(folder, models, parts)
    record = run_record(folder, models, ratings, preset, options, seconds)
    record = replace(record, rows=report, warnings=doubts(parts, len(np.unique(parts.test.user))))
    write_json(folder / "run.json", record.to_json())


def _check_options(chosen: Preset, preset: str, split: str, seed: int, train_metrics: bool) -> None:
    pick("--split", split, SPLITS)
    if not 0 <= seed < 2**32:
        raise InputError(
            "--seed", expected="0 to 4294967295", given=seed, do="choose another", code="VALUE_OUT_OF_RANGE"
        )
    if train_metrics and not chosen.has_train_metrics:
        able = " or ".join(name for name, each in PRESETS.items() if each.has_train_metrics)
        raise InputError(
            "--train-metrics", expected=f"--preset {able}", given=preset, do="leave it out", code="OPTION_CONFLICT"
        )


def _check_encoder(chosen: Preset, preset: str, encoder: str | None, dimension: int | None) -> None:
    for option, value in (("--encoder", encoder), ("--dimension", dimension)):
        if value is not None and not chosen.has_encoders:
            able = " or ".join(name for name, each in PRESETS.items() if each.has_encoders)
            raise InputError(
                option, expected=f"--preset {able}", given=preset, do="leave it out", code="OPTION_CONFLICT"
            )
    asked = ENCODERS[pick("--encoder", encoder or DEFAULT_ENCODER, ENCODERS)]
    if dimension is not None and not asked.least_dimension <= dimension <= MOST_DIMENSION:
        expected = f"{asked.least_dimension} to {MOST_DIMENSION} for --encoder {encoder or DEFAULT_ENCODER}"
        raise InputError(
            "--dimension", expected=expected, given=dimension, do="choose another", code="VALUE_OUT_OF_RANGE"
        )


def _split(chosen: Preset, ratings: Ratings, split: str, seed: int) -> Parts:
    train_part, test_part = split_ratings(ratings, split, seed)
    if chosen.by_popularity:
        train_part, test_part = by_popularity(train_part, test_part)
    return Parts(train_part, test_part)


def _fitted(chosen: Preset, parts: Parts, options: TrainingOptions) -> tuple[TrainedModels, float]:
    """Trained models, and the seconds that took."""
    from .tf import make_deterministic

    make_deterministic(options.seed)
    started = time.monotonic()
    models = chosen.trainer(parts.train, parts.test, options)
    return models, time.monotonic() - started


def _loader(
    data: PathLike, data_dir: PathLike | None, columns: str, items: PathLike | None, users: PathLike | None
) -> Loader:
    """Check where the ratings come from, and return what loads them."""
    name = os.fspath(data)
    if is_table(name):
        _refuse_given("a dataset by name as --data", {"--data-dir": data_dir})
        return _file_loader(Path(name), columns, items, users)
    pick("--data", name, DATASETS)
    given = {"--columns": columns, "--item-features": items, "--user-features": users}
    _refuse_given("a file of ratings as --data", given)

    def load(items_by: ItemsBy) -> tuple[Ratings, None]:
        ratings = DATASETS[name].load(items_by=items_by, data_dir=_path(data_dir))
        return replace(ratings, name=name), None

    return load


def _refuse_given(needed: str, options: Mapping[str, PathLike | None]) -> None:
    for option, value in options.items():
        if value:
            raise InputError(option, expected=needed, given=value, do="leave it out", code="OPTION_CONFLICT")


def _file_loader(path: Path, columns: str, items: PathLike | None, users: PathLike | None) -> Loader:
    mapping = parse_columns(columns) if columns else {}

    def load(_: ItemsBy) -> tuple[Ratings, RowReport]:
        from .data.files.ratings_file import read_ratings

        ratings, report = read_ratings(path, columns=mapping, item_features=_path(items), user_features=_path(users))
        for line in report.lines():
            log.info(line)
        return ratings, report

    return load


def _path(given: PathLike | None) -> Path | None:
    return None if given is None else Path(given)
