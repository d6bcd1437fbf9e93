"""The presets: what is trained, by name.

Trainers are imported when they are called, and TensorFlow with them: the command reads names and summaries for its help.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .data.items_by import ItemsBy

if TYPE_CHECKING:
    from .data.ratings import Ratings
    from .trained_models import TrainedModels, Trainer, TrainingOptions


@dataclass(frozen=True)
class Preset:
    """A way to train a recommender.

    Attributes:
        summary: one line for people.
        items_by: what makes two items of a named dataset one, their id or their title.
        trainer: trains on one part of the ratings and evaluates on the other.
        by_popularity: whether items are numbered by how often they are rated, most first.
        has_train_metrics: whether `--train-metrics` means anything.
        has_encoders: whether `--encoder` and `--dimension` mean anything.
    """

    summary: str
    items_by: ItemsBy
    trainer: "Trainer"
    by_popularity: bool = True
    has_train_metrics: bool = False
    has_encoders: bool = False


def _pocket(train: "Ratings", test: "Ratings", options: "TrainingOptions") -> "TrainedModels":
    from .pocket.trainer import train_pocket

    return train_pocket(train, test, options)


def _tutorial(train: "Ratings", test: "Ratings", options: "TrainingOptions") -> "TrainedModels":
    from .tutorial import train_tutorial

    return train_tutorial(train, test, options)


PRESETS = {
    "pocket": Preset(
        "history and declared preferences in, no user id: serves users that were not trained on",
        items_by="id",
        trainer=_pocket,
        has_encoders=True,
    ),
    "tutorial": Preset(
        "TensorFlow Recommenders' two-tower and ranking tutorials, user ids and titles in",
        items_by="title",
        trainer=_tutorial,
        by_popularity=False,  # the tutorials sort their titles
        has_train_metrics=True,
    ),
}
DEFAULT_PRESET = "pocket"
