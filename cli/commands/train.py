"""`pocketrec train`: ratings in, RUN/trained out."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, working
from ..options import DataDir, Verbose

if TYPE_CHECKING:
    from ...core.run_dir import Run


def train(
    out: Annotated[Path, typer.Option(help="Run directory to create.", show_default=False)],
    data: Annotated[
        str, typer.Option(help="movielens/100k, 1m, 20m, 25m, latest-small, or a CSV or Parquet file.")
    ] = "movielens/100k",
    preset: Annotated[str, typer.Option(help="What to train: pocket or tutorial.")] = "pocket",
    split: Annotated[str, typer.Option(help="random, temporal or leave-last-out.")] = "random",
    seed: Annotated[int, typer.Option(help="Seed of split, weights and order.")] = 42,
    data_dir: DataDir = None,
    columns: Annotated[
        str, typer.Option(help="user=COLUMN,item=COLUMN,rating=...,timestamp=...,title=... of a file.")
    ] = "",
    item_features: Annotated[Path | None, typer.Option(help="CSV or Parquet about the items of a file.")] = None,
    user_features: Annotated[Path | None, typer.Option(help="CSV or Parquet about the users of a file.")] = None,
    train_metrics: Annotated[
        bool, typer.Option("--train-metrics", help="Tutorial: retrieval metrics while training too.")
    ] = False,
    evaluate_baselines: Annotated[
        bool, typer.Option("--evaluate-baselines", help="Fit the classics on the same split.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Train a recommender and write RUN/trained.

    \b
    Examples: pocketrec train --data movielens/100k --out run
              pocketrec train --data ratings.csv --columns user=uid,item=sku,rating=stars --out run
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
            train_metrics=train_metrics,
            evaluate_baselines=evaluate_baselines,
        )
    show_run(run)


def show_run(run: "Run") -> None:
    """The run's quality, the report on its file of ratings, and the baselines beside it."""
    record = run.run_json
    if record["data"]["name"].startswith("movielens/"):
        from ...train.data.datasets import movielens_note_once

        show(*filter(None, [movielens_note_once()]))
    if record["rows"]:
        from ...train.data.columns import RowReport

        show(*RowReport(**record["rows"]).lines())
    quality = {**record["metrics"]["ranking"], **record["metrics"]["retrieval"]}
    show(f"trained {record['preset']} on {record['data']['name']} in {record['train_s']:.0f} s: {_pairs(quality)}")
    if record["baselines"] is not None:
        from ...train.quality import quality_table

        own = {"model": record["preset"], **quality, "seconds": record["train_s"]}
        show(quality_table([own, *record["baselines"]], "Quality on held-out ratings"))


def _pairs(values: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
