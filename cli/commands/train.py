"""`pocketrec train`: ratings in, RUN/trained out."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...train.data.datasets import DEFAULT_DATASET, licence_notice_once
from ...train.data.files.columns import ROLES
from ...train.data.splits import DEFAULT_SPLIT
from ...train.presets import DEFAULT_PRESET
from ..console import show, working
from ..options import DataDir, Verbose, named

if TYPE_CHECKING:
    from ...core.records.run import RunRecord
    from ...core.run_dir import Run


def train(
    out: Annotated[Path, typer.Option(help="Run directory to create.", show_default=False)],
    data: Annotated[str, named("datasets", help="{datasets}, or a CSV or Parquet file.")] = DEFAULT_DATASET,
    preset: Annotated[str, named("presets", help="What to train: {presets}.")] = DEFAULT_PRESET,
    split: Annotated[str, named("splits", help="How ratings are held out: {splits}.")] = DEFAULT_SPLIT,
    seed: Annotated[int, typer.Option(help="Seed of split, weights and order.")] = 42,
    data_dir: DataDir = None,
    columns: Annotated[
        str,
        typer.Option(
            metavar="ROLE=COLUMN,...",
            help=f"Columns of a file that have other names; roles: {', '.join(ROLES)}. `rating=` for none.",
        ),
    ] = "",
    item_features: Annotated[Path | None, typer.Option(help="CSV or Parquet about the items of a file.")] = None,
    user_features: Annotated[Path | None, typer.Option(help="CSV or Parquet about the users of a file.")] = None,
    encoder: Annotated[
        str | None, named("encoders", help="How the preset pocket encodes a history: {encoders}. Default: {encoder}.")
    ] = None,
    dimension: Annotated[
        int | None,
        typer.Option(
            help="Width of the preset pocket's vectors. Default: {dimension}, or the encoder's own; wider where needed."
        ),
    ] = None,
    train_metrics: Annotated[
        bool, typer.Option("--train-metrics", help="Also compute retrieval metrics while training (preset tutorial).")
    ] = False,
    evaluate_baselines: Annotated[
        bool, typer.Option("--evaluate-baselines", help="Then do what `pocketrec evaluate RUN --baselines` does.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Train a recommender and write RUN/trained.

    \b
    Examples:
      pocketrec train --data movielens/100k --out run
      pocketrec train --data ratings.csv --columns user=uid,item=sku --out run
    """
    from ...api.training import train as train_run

    with working(verbose):
        run = train_run(
            out,
            data=data,
            preset=preset,
            split=split,
            seed=seed,
            data_dir=data_dir,
            columns=columns,
            item_features=item_features,
            user_features=user_features,
            encoder=encoder,
            dimension=dimension,
            train_metrics=train_metrics,
            evaluate_baselines=evaluate_baselines,
        )
    _show_trained(run, evaluated=evaluate_baselines)


def _show_trained(run: "Run", *, evaluated: bool) -> None:
    from ...core.records.evaluation import Evaluation
    from .evaluate import show_evaluation

    show_run(run)
    if evaluated:
        show_evaluation(Evaluation.read(run))


def show_run(run: "Run") -> None:
    """The run's quality, and the report on its file of ratings."""
    record = run.record
    show(*filter(None, [licence_notice_once(record.data.name)]))
    if record.rows is not None:
        show(*record.rows.lines())
    quality = {**record.metrics["ranking"], **record.metrics["retrieval"]}
    show(f"trained {record.preset} on {record.data.name} in {record.train_s:.0f} s: {_pairs(quality)}")
    show(*_chosen(record))
    show(*(f"warning: {text}" for text in record.warnings))


def _chosen(record: "RunRecord") -> list[str]:
    """Which encoder `auto` took, and why."""
    settings = record.settings.get("retrieval")
    if not isinstance(settings, dict) or not settings.get("reason"):
        return []
    return [f"encoder {settings['encoder']}: {settings['reason']}"]


def _pairs(values: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
