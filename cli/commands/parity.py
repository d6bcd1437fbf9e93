"""`pocketrec parity`: does every variant recommend what the SavedModel does?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, show_json, working
from ..options import Inputs, Json, OptionalRun, Runtimes, SavedModel, Signature, Targets, Tflite, Verbose, named

if TYPE_CHECKING:
    from ...api.measurement import ParityReport
from ...api.rules import checked


@checked
def parity(
    run: OptionalRun = None,
    runtimes: Runtimes = None,
    targets: Targets = None,
    require: Annotated[
        list[str] | None, named("targets", help="Processor that must be there; may be repeated.")
    ] = None,
    gates: Annotated[Path | None, typer.Option(help="TOML file of tolerances in place of the kit's own.")] = None,
    refresh_reference: Annotated[bool, typer.Option("--refresh-reference", help="Ask the SavedModels again.")] = False,
    rejudge: Annotated[
        bool, typer.Option("--rejudge", help="Judge the stored outputs of the last run again; run nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Run only cells whose outputs are not stored yet, after an interruption.")
    ] = False,
    blame: Annotated[
        bool,
        typer.Option(
            "--blame", help="Find the operator that failed cells fail by: of RUN's last report, or of this pair."
        ),
    ] = False,
    graphs: Annotated[
        list[str] | None, named("graphs", "--graph", help="With --blame: graph; may be repeated. Default: all.")
    ] = None,
    recipes: Annotated[
        list[str] | None, named("recipes", "--recipe", help="With --blame: recipe; may be repeated. Default: all.")
    ] = None,
    aar: Annotated[
        Path | None, typer.Option(help="An app's own Android archive, whose TFLite library joins the runtimes.")
    ] = None,
    saved_model: SavedModel = None,
    signature: Signature = None,
    tflite: Tflite = None,
    inputs: Inputs = None,
    scores: Annotated[str | None, typer.Option(help="Foreign pair: the output that ranks. Default: scores.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where a foreign pair's parity.json and raw outputs go.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare every variant with the SavedModel.

    All held-out users are asked, on every runtime. Exits 1 when a gate is missed.

    \b
    Examples:
      pocketrec parity run
      pocketrec parity run --rejudge --gates gates.toml
      pocketrec parity run --target arm64/cortex-a53 --resume
      pocketrec parity run --target adb
      pocketrec parity run --blame --graph retriever
      pocketrec parity run --aar app/libs/tensorflow-lite.aar
      pocketrec parity --saved-model DIR --tflite FILE --inputs FILE.npz
    """
    from ...api.measurement import parity as check_parity

    with working(verbose):
        report = check_parity(
            run,
            runtimes=runtimes or (),
            targets=targets or (),
            require=require or (),
            gates=gates,
            refresh_reference=refresh_reference,
            rejudge=rejudge,
            resume=resume,
            blame=blame,
            graphs=graphs or (),
            recipes=recipes or (),
            aar=aar,
            saved_model=saved_model,
            signature=signature,
            tflite=tflite,
            inputs=inputs,
            scores=scores,
            out=out,
        )
    if as_json:
        show_json(report.to_json())
    else:
        show_parity(report)
    if not report.passed:
        raise typer.Exit(1)


def show_parity(report: "ParityReport") -> None:
    """The matrix, and why cells of it did not pass."""
    from ..render.parity import parity_reasons, parity_table

    show(parity_table(report), *parity_reasons(report))
