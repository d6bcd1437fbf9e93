"""Training, and runs."""

from pathlib import Path

from ..core.run_dir import Run
from ..core.run_dir import open_run as open_run_at
from ..train.data.datasets import DEFAULT_DATASET
from ..train.data.splits import DEFAULT_SPLIT
from ..train.presets import DEFAULT_PRESET
from .arguments import StrPath, path_or_none


def train(
    out: StrPath,
    *,
    data: StrPath = DEFAULT_DATASET,
    preset: str = DEFAULT_PRESET,
    split: str = DEFAULT_SPLIT,
    seed: int = 42,
    data_dir: StrPath | None = None,
    columns: str = "",
    item_features: StrPath | None = None,
    user_features: StrPath | None = None,
    encoder: str | None = None,
    dimension: int | None = None,
    train_metrics: bool = False,
    evaluate_baselines: bool = False,
) -> Run:
    """Train a recommender and write `out`/trained; nothing is left behind when it fails.

    Args:
        out: The run directory to create; must not exist or be empty.
        data: A dataset (`pr.names("datasets")`), or a CSV or Parquet file of ratings.
        preset: What to train (`pr.names("presets")`).
        split: How ratings are held out (`pr.names("splits")`).
        seed: Seeds the split, the initial weights and the order of training; 0 to 2**32 - 1.
        data_dir: A prepared TFDS directory, GroupLens' folder or zip, or the package that carries the dataset.
        columns: For a file: its columns by role, `user=COLUMN,item=COLUMN,rating=...,timestamp=...,title=...,genres=...`;
            recognized by name where left out; `rating=` for no such column.
        item_features: For a file: a CSV or Parquet file about the items.
        user_features: For a file: a CSV or Parquet file about the users.
        encoder: For the pocket preset: how a history is encoded (`pr.names("encoders")`); `auto` when None.
        dimension: For the pocket preset: width of query and candidate vectors; where None, the encoder's own, or wider where
            validation finds that the linear encoder needs it.
        train_metrics: For the tutorial preset: compute retrieval metrics while training too, which is slow.
        evaluate_baselines: Then call `evaluate` with `baselines`.

    Returns:
        The run.

    Raises:
        InputError: An argument is wrong, found before anything slow.
        CheckFailed: Training diverged, or a SavedModel does not answer as the trained model did.
    """
    from ..train.stage import train as train_run

    return train_run(
        Path(out),
        data=str(data),
        preset=preset,
        split=split,
        seed=seed,
        data_dir=path_or_none(data_dir),
        columns=columns,
        item_features=path_or_none(item_features),
        user_features=path_or_none(user_features),
        encoder=encoder,
        dimension=dimension,
        train_metrics=train_metrics,
        evaluate_baselines=evaluate_baselines,
    )


def open_run(path: StrPath) -> Run:
    """Open a run directory.

    Args:
        path: What `train` created.

    Raises:
        InputError: It is no run, its training did not finish, or another version of the kit wrote it.
    """
    return open_run_at(Path(path))
