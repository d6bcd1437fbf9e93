"""The files of RUN/trained."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.documents import RUN_SCHEMA, kit_version
from ..core.files.atomic import write_npz
from ..core.files.hashing import sha256_file, sha256_tree
from ..core.files.vocabulary_files import write_lines, write_vocabulary
from ..core.host import describe_host
from ..core.records.run import DataRecord, RunRecord
from ..runtimes.runtimes import runtime_packages
from .data.item_content import declared_preferences, filter_genres
from .data.ratings import Ratings
from .trained_models import TrainedModels, TrainingOptions

if TYPE_CHECKING:
    from .export.savedmodels import Export


@dataclass(frozen=True)
class Parts:
    """Ratings to train on and ratings held out, over the same vocabularies."""

    train: Ratings
    test: Ratings


def write_models(folder: Path, models: TrainedModels, parts: Parts) -> None:
    """Write SavedModels, candidates, vocabularies, items, users, interactions and the preset's own files.

    Raises:
        CheckFailed: a loaded SavedModel does not answer as the trained model did.
    """
    from .export.savedmodels import write_saved_model

    for name, export in models.exports.items():
        write_saved_model(export, folder / name)
    np.save(folder / "candidates.npy", np.ascontiguousarray(models.candidates, np.float32))
    _write_vocabularies(folder, models, parts.train)
    for name, write in models.files.items():
        write(folder / name)
    for name, part in (("history", parts.train), ("heldout", parts.test)):
        write_npz(folder / f"{name}.npz", user=part.user, item=part.item, rating=part.rating, timestamp=part.timestamp)


def _write_vocabularies(folder: Path, models: TrainedModels, known: Ratings) -> None:
    vocabularies = {"items": known.items, "users": known.users, "genres": filter_genres(known) or None}
    for name, tokens in (vocabularies | {"preferences": models.preferences}).items():
        if tokens is not None:
            write_vocabulary(folder / "vocabularies" / f"{name}.txt", tokens)
    write_vocabulary(folder / "candidate_ids.txt", known.items)
    described = zip(known.items, known.titles, known.genres, strict=True)
    write_lines(folder / "items.json", [{"id": i, "title": t, "genres": g} for i, t, g in described])
    declared = zip(known.users, declared_preferences(known), strict=True)
    write_lines(folder / "users.json", [{"id": u, "preferences": p} for u, p in declared])


def _graphs(exports: Iterable["Export"], is_implicit: bool) -> list[str]:
    """Graphs that these SavedModels can be converted to.

    A retriever is a query encoder over the candidates. A recommender is both, where predicted ratings differ between items.
    """
    named = {name for export in exports for name in export.signatures} - {"serving_default"}
    if "query_encoder" in named:
        named.add("retriever")
    if {"retriever", "ranker"} <= named and not is_implicit:
        named.add("recommender")
    return sorted(named)


def run_record(
    folder: Path, models: TrainedModels, ratings: Ratings, preset: str, options: TrainingOptions, seconds: float
) -> RunRecord:
    """run.json of what `write_models` wrote to `folder`; `seconds` is the time that training took."""
    files = sorted(p for p in folder.iterdir() if p.is_file())
    return RunRecord(
        schema=RUN_SCHEMA,
        kit_version=kit_version(),
        preset=preset,
        split=options.split,
        seed=options.seed,
        data=_data_record(ratings),
        metrics=models.metrics,
        window=models.window,
        settings=models.settings,
        graphs=_graphs(models.exports.values(), ratings.is_implicit),
        scann=models.scann,
        saved_models={name: sha256_tree(folder / name) for name in models.exports},
        files={path.name: sha256_file(path) for path in files},
        train_s=round(seconds, 3),
        stage_s={name: round(value, 3) for name, value in models.seconds.items()},
        host=describe_host(runtime_packages()),
    )


def _data_record(ratings: Ratings) -> DataRecord:
    return DataRecord(
        name=ratings.name,
        n_ratings=len(ratings),
        n_users=len(ratings.users),
        n_items=len(ratings.items),
        is_implicit=ratings.is_implicit,
        rating_range=(float(ratings.rating.min()), float(ratings.rating.max())),
        sha256=ratings.sha256(),
    )
