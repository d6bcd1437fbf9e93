"""`pocketrec parity`: does every variant recommend what the SavedModel does?"""

from pathlib import Path
from typing import Annotated

import typer

from ..console import show, show_json, working
from ..options import Inputs, Json, OptionalRun, SavedModel, Signature, Tflite, Verbose
from ..rules import checked


@checked
def parity(
    run: OptionalRun = None,
    runtimes: Annotated[
        list[str] | None, typer.Option("--runtime", help="Runtime; may be repeated. Default: every one installed.")
    ] = None,
    targets: Annotated[
        list[str] | None, typer.Option("--target", help="Processor; may be repeated. Default: host.")
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(help="Processor that must be there; may be repeated. A skip is an error.")
    ] = None,
    gates: Annotated[Path | None, typer.Option(help="TOML file of tolerances in place of the kit's own.")] = None,
    refresh_reference: Annotated[bool, typer.Option("--refresh-reference", help="Ask the SavedModels again.")] = False,
    rejudge: Annotated[
        bool, typer.Option("--rejudge", help="Judge the stored outputs of the last run again; run nothing.")
    ] = False,
    saved_model: SavedModel = None,
    signature: Signature = None,
    tflite: Tflite = None,
    inputs: Inputs = None,
    scores: Annotated[str | None, typer.Option(help="Foreign pair: the output that ranks. Default: scores.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where a foreign pair's parity.json and raw outputs go.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare every variant with the SavedModel on held-out users; exit 1 when a gate fails.

    \b
    Examples: pocketrec parity run
              pocketrec parity run --rejudge --gates gates.toml
              pocketrec parity --saved-model DIR --tflite FILE --inputs FILE.npz
    """
    from ...benchmarks.parity import stage
    from ...benchmarks.parity.foreign_pair import check_foreign
    from ...benchmarks.parity.rejudge import rejudge as judge_again
    from ...benchmarks.report.terminal import parity_reasons, parity_table
    from ...core.run_dir import open_run

    with working(verbose):
        if saved_model is not None and tflite is not None and inputs is not None:
            found = check_foreign(
                saved_model,
                tflite,
                inputs,
                signature=signature,
                runtimes=runtimes or (),
                out=out,
                gates=gates,
                scores=scores,
            )
        elif rejudge and run is not None:
            found = judge_again(open_run(run), gates=gates)
        else:
            assert run is not None
            found = stage.check_parity(
                open_run(run),
                runtimes=runtimes or (),
                targets=targets or (),
                require=require or (),
                gates=gates,
                refresh_reference=refresh_reference,
            )
    document = found.to_json()
    if as_json:
        show_json(document)
    else:
        show(parity_table(document), *parity_reasons(document))
    if not found.passed:
        raise typer.Exit(1)
