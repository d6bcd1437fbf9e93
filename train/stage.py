"""The train stage: ratings in, RUN/trained out."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..core.atomic import atomic_dir, require_empty, write_npz
from ..core.documents import RUN_SCHEMA, kit_version, write_json
from ..core.errors import InputError, pick
from ..core.hashing import sha256_file, sha256_tree
from ..core.host import describe_host
from ..core.run_dir import Run
from ..core.vocabulary_files import write_lines, write_vocabulary
from ..runtimes.runtimes import runtime_packages
from .data.columns import is_table, parse_columns
from .data.datasets import DATASETS
from .data.item_content import declared_preferences, filter_genres
from .data.ratings import SPLITS, Ratings, by_popularity, split_ratings
from .pocket.content_vectors import CONTENT_FILE
from .presets import DEFAULT_PRESET, PRESETS

log = logging.getLogger(__name__)


def train(
    out: Path,
    *,
    data: str = "movielens/100k",
    preset: str = DEFAULT_PRESET,
    split: str = "random",
    seed: int = 42,
    data_dir: Path | None = None,
    train_metrics: bool = False,
    columns: str = "",
    item_features: Path | None = None,
    user_features: Path | None = None,
    with_baselines: bool = False,
) -> Run:
    """Train a recommender and write RUN/trained; nothing is left behind when it fails.

    Args:
        out: the run to create; must not hold anything yet.
        data: a dataset name such as `movielens/100k`, or a CSV or Parquet file of ratings.
        columns: `user=...,item=...` for a file whose columns have other names.
        item_features, user_features: optional files about items and users, for a file of ratings.
        preset: a key of `PRESETS`.
        split: a key of `SPLITS`.
        seed: seeds the split, the initial weights and the order of training; 0 to 2**32 - 1.
        data_dir: a prepared TFDS directory, or GroupLens' folder or zip.
        train_metrics: compute the retrieval task's metrics while training too (slow).
        with_baselines: fit the classics on the same split too; run.json keeps their rows.

    Raises:
        InputError: an argument is wrong; said before anything slow.
        CheckFailed: a SavedModel does not answer as the trained model did.
    """
    chosen = PRESETS[pick("--preset", preset, PRESETS)]
    load = _loader(data, chosen.item_key, data_dir, columns, item_features, user_features)
    pick("--split", split, SPLITS)
    if not 0 <= seed < 2**32:
        raise InputError("--seed", expected="0 to 4294967295", given=seed, do="choose another")
    require_empty(out)
    with atomic_dir(out / "trained") as folder:
        ratings, report = load()
        train_part, test_part = split_ratings(ratings, split, seed)
        if chosen.by_popularity:
            train_part, test_part = by_popularity(train_part, test_part)
        from .tf import make_deterministic

        make_deterministic(seed)
        log.info(f"training {preset} on {len(train_part):,} ratings, {len(test_part):,} held out")
        started = time.monotonic()
        result = chosen.load()(train_part, test_part, seed=seed, split=split, train_metrics=train_metrics)
        seconds = time.monotonic() - started
        log.info("saving SavedModels, loading each again and comparing")
        _write(folder, result, train_part, test_part)
        record = _run_json(folder, result, ratings, preset, split, seed, seconds)
        classics = _baselines(train_part, test_part) if with_baselines else None
        host = describe_host(runtime_packages())
        write_json(folder / "run.json", {**record, "baselines": classics, "rows": report, "host": host})
    return Run(out)


def _baselines(train_part: Ratings, test_part: Ratings) -> list[dict[str, Any]]:
    from .baselines import evaluate_baselines

    log.info("fitting the baselines")
    return evaluate_baselines(train_part, test_part)


def _loader(
    data: str,
    item_key: str,
    data_dir: Path | None,
    columns: str,
    items: Path | None,
    users: Path | None,
) -> Callable[[], tuple[Ratings, dict[str, Any] | None]]:
    """Check what was asked for, and return what loads it: the ratings, and the report on a file's rows."""
    if is_table(data):
        mapping = parse_columns(columns) if columns else None

        def read() -> tuple[Ratings, dict[str, Any]]:
            from .data.ratings_file import read_ratings

            ratings, report = read_ratings(Path(data), columns=mapping, item_features=items, user_features=users)
            for line in report.lines():
                log.info(line)
            return ratings, report.to_json()

        return read
    pick("--data", data, DATASETS)
    for option, value in (("--columns", columns), ("--item-features", items), ("--user-features", users)):
        if value:
            raise InputError(option, expected="a file of ratings as --data", given=data, do="leave it out")

    def load() -> tuple[Ratings, None]:
        from .data.movielens import load_movielens

        return load_movielens(data, item_key=item_key, data_dir=data_dir), None

    return load


def _write(folder: Path, result: dict[str, Any], train_part: Ratings, test_part: Ratings) -> None:
    from .export.savedmodels import write_saved_model

    for name, export in result["exports"].items():
        write_saved_model(export, folder / name)
    np.save(folder / "candidates.npy", np.ascontiguousarray(result["candidates"], np.float32))
    write_vocabulary(folder / "vocabularies" / "items.txt", train_part.items)
    write_vocabulary(folder / "vocabularies" / "users.txt", train_part.users)
    write_vocabulary(folder / "candidate_ids.txt", train_part.items)
    items = [
        {"id": i, "title": t, "genres": g}
        for i, t, g in zip(train_part.items, train_part.titles, train_part.genres, strict=True)
    ]
    write_lines(folder / "items.json", items)
    users = [
        {"id": u, "preferences": p} for u, p in zip(train_part.users, declared_preferences(train_part), strict=True)
    ]
    write_lines(folder / "users.json", users)
    if genres := filter_genres(train_part):
        write_vocabulary(folder / "vocabularies" / "genres.txt", genres)
    if "preferences" in result:
        write_vocabulary(folder / "vocabularies" / "preferences.txt", result["preferences"])
    if "content" in result:
        result["content"].write(folder / CONTENT_FILE)
    if "curves" in result:
        write_json(folder / "curves.json", {"schema": "pocketrec.curves/1", **result["curves"]})
    for name, part in (("history", train_part), ("heldout", test_part)):
        write_npz(folder / f"{name}.npz", user=part.user, item=part.item, rating=part.rating, timestamp=part.timestamp)


def _graphs(exports: dict[str, Any], is_implicit: bool) -> list[str]:
    """Graphs that these SavedModels can be converted to.

    A retriever is a query encoder over the candidates; a recommender is both, where ratings say more than that somebody came.
    """
    named = {name for export in exports.values() for name in export.signatures} - {"serving_default"}
    if "query_encoder" in named:
        named.add("retriever")
    if {"retriever", "ranker"} <= named and not is_implicit:
        named.add("recommender")
    return sorted(named)


def _run_json(
    folder: Path, result: dict[str, Any], ratings: Ratings, preset: str, split: str, seed: int, seconds: float
) -> dict[str, Any]:
    files = sorted(p for p in folder.iterdir() if p.is_file())
    return {
        "schema": RUN_SCHEMA,
        "kit_version": kit_version(),
        "preset": preset,
        "split": split,
        "seed": seed,
        "data": {
            "name": ratings.name,
            "n_ratings": len(ratings),
            "n_users": len(ratings.users),
            "n_items": len(ratings.items),
            "is_implicit": ratings.is_implicit,
            "rating_range": [float(ratings.rating.min()), float(ratings.rating.max())],
            "sha256": ratings.sha256(),
        },
        "metrics": result["metrics"],
        "window": result.get("window"),
        "settings": result.get("settings", {}),
        "graphs": _graphs(result["exports"], ratings.is_implicit),
        "scann": result["scann"],
        "saved_models": {name: sha256_tree(folder / name) for name in result["exports"]},
        "files": {path.name: sha256_file(path) for path in files},
        "train_s": round(seconds, 3),
        "stage_s": {name: round(value, 3) for name, value in result["seconds"].items()},
    }
