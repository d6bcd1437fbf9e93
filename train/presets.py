"""The presets: what is trained, by name."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A way to train a recommender.

    Attributes:
        summary: one line for people.
        item_key: which MovieLens column is an item's id: `title` or `movie_id`.
        trainer: `module:function` below this package, imported only when it is used.
        by_popularity: whether items are put in the order of how often they are rated.
    """

    summary: str
    item_key: str
    trainer: str
    by_popularity: bool = True

    def load(self) -> Callable[..., dict[str, Any]]:
        """Import the trainer, and TensorFlow with it."""
        module, _, function = self.trainer.partition(":")
        return getattr(importlib.import_module(f".{module}", __package__), function)


PRESETS = {
    "pocket": Preset(
        "history and declared preferences in, no user id: serves people no training run has met",
        "movie_id",
        "pocket.trainer:train_pocket",
    ),
    "tutorial": Preset(
        "TensorFlow Recommenders' two-tower and ranking tutorials, user ids and titles in",
        "title",
        "tutorial:train_tutorial",
        by_popularity=False,  # the tutorials sort their titles
    ),
}
DEFAULT_PRESET = "pocket"
