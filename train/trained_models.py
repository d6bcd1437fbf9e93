"""What a preset's trainer is given and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.records.record import Json
from .data.ratings import Ratings

if TYPE_CHECKING:
    from .export.savedmodels import Export


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        seed: seeds initial weights and the order of training.
        split: key of `SPLITS` that the held-out ratings were drawn by.
        train_metrics: also compute retrieval metrics while training, for presets with `has_train_metrics`.
        encoder: key of `ENCODERS`, for presets with encoders; the default when None.
        dimension: width of query and candidate vectors, for presets with encoders; chosen on validation when None.
    """

    seed: int
    split: str
    train_metrics: bool = False
    encoder: str | None = None
    dimension: int | None = None


@dataclass(frozen=True)
class TrainedModels:
    """Trained models, ready to be written.

    Attributes:
        exports: SavedModels by name; `ranking`, `query`, `candidate` and `retrieval_bruteforce` must be there.
        candidates: float32[n_items, d], in the order of `Ratings.items`.
        metrics: `ranking` and `retrieval` quality on the held-out ratings, and any other group of numbers.
        scann: configuration of `retrieval_scann`.
        seconds: training time by model.
        window: length of a history in items; None where the query is a user id.
        preferences: vocabulary of declared preferences; None where the models take none.
        settings: hyperparameters by model.
        files: what writes each further file of RUN/trained, by name.
    """

    exports: Mapping[str, "Export"]
    candidates: np.ndarray
    metrics: dict[str, dict[str, float | None]]
    scann: Json
    seconds: dict[str, float]
    window: int | None = None
    preferences: list[str] | None = None
    settings: Json = field(default_factory=dict)
    files: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)


class Trainer(Protocol):
    """Trains on `train`, evaluates on `test`; the test part chooses nothing."""

    def __call__(self, train: Ratings, test: Ratings, options: TrainingOptions) -> TrainedModels: ...
