"""`pocketrec convert`: a run, or any SavedModel, to .tflite files."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import show, working
from ..options import OptionalRun, Recipes, SavedModel, Signature, Verbose
from ..rules import checked


@checked
def convert(
    run: OptionalRun = None,
    graphs: Annotated[list[str] | None, typer.Option("--graph", help="Graph; may be repeated. Default: all.")] = None,
    recipes: Recipes = None,
    k: Annotated[
        int | None, typer.Option("--k", help="Results of the retriever. Default: 100, or the catalogue if smaller.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="How the dynamic_int8 retriever searches: full_scan, two_stage or partitioned. "
            "Default: by the catalogue's size."
        ),
    ] = None,
    saved_model: SavedModel = None,
    signature: Signature = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Then show the files next to what other converters make of the graphs.")
    ] = False,
    representative: Annotated[
        Path | None, typer.Option(help="An .npz of real inputs of a foreign SavedModel, for static_int8 and int16x8.")
    ] = None,
    allow_select_tf_ops: Annotated[
        bool, typer.Option("--allow-select-tf-ops", help="Let a foreign file need TensorFlow's own ops.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where a foreign SavedModel's files go.")] = None,
    verbose: Verbose = False,
) -> None:
    """Convert a run, or any SavedModel, to .tflite files that run on the runtimes apps ship.

    \b
    Examples: pocketrec convert run
              pocketrec convert run --compare
              pocketrec convert run --graph retriever --form partitioned
              pocketrec convert --saved-model DIR --signature serving_default --representative FILE.npz --out converted
    """
    from ...benchmarks.report.terminal import comparison_reasons, comparison_table, variants_table
    from ...convert import stage
    from ...core.run_dir import open_run

    with working(verbose):
        if saved_model is not None and out is not None:
            document = stage.convert_foreign(
                saved_model,
                out,
                representative=representative,
                signature=signature,
                recipes=recipes or (),
                allow_select_tf_ops=allow_select_tf_ops,
            )
        else:
            assert run is not None
            document = stage.convert_run(open_run(run), graphs=graphs or (), recipes=recipes or (), k=k, form=form)
    show(variants_table(document))
    if compare and run is not None:
        from ...benchmarks.parity.converter_comparison import compare_converters

        with working(verbose):
            document = compare_converters(open_run(run))
        show(comparison_table(document), *comparison_reasons(document))
