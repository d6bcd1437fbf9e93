"""`pocketrec evaluate`: how good are the finished models on what was held out?"""

from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, show_json, working
from ..options import Json, RunArgument, Verbose

if TYPE_CHECKING:
    from ...core.records.evaluation import Evaluation


def evaluate(
    run: RunArgument,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also fit and measure baselines on the same split: {baselines}.")
    ] = False,
    users: Annotated[
        int | None, typer.Option(help="Evaluate a sample of so many held-out users. Default: all.", show_default=False)
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure a run's finished models on its held-out part.

    The models stay as they are. Writes RUN/reports/evaluation.json.

    \b
    Examples:
      pocketrec evaluate run
      pocketrec evaluate run --baselines
    """
    from ...api.measurement import evaluate as evaluate_run

    with working(verbose):
        document = evaluate_run(run, baselines=baselines, users=users)
    if as_json:
        show_json(document.to_json())
    else:
        show_evaluation(document)


def show_evaluation(document: "Evaluation") -> None:
    """The tables, and what makes them doubtful or incomplete."""
    from ..render.evaluation import evaluation_notes, evaluation_tables

    show(*evaluation_tables(document), *evaluation_notes(document))
