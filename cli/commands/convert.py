"""`pocketrec convert`: a run, or any SavedModel, to .tflite files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, working
from ..options import OptionalRun, Recipes, SavedModel, Signature, Verbose, named

if TYPE_CHECKING:
    from ...api.conversion import Comparison, Conversion
from ...api.rules import checked


@checked
def convert(
    run: OptionalRun = None,
    graphs: Annotated[
        list[str] | None, named("graphs", "--graph", help="Graph; may be repeated. Default: all.")
    ] = None,
    recipes: Recipes = None,
    k: Annotated[
        int | None, typer.Option("--k", help="Results of the retriever. Default: {k}, or the catalogue if smaller.")
    ] = None,
    form: Annotated[
        str | None,
        named("forms", help="How the dynamic_int8 retriever searches: {forms}. Default: by the catalogue's size."),
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
    """Convert a run, or any SavedModel, to .tflite files.

    Each file is executed on the runtimes that apps ship before anything is written.

    \b
    Examples:
      pocketrec convert run
      pocketrec convert run --compare
      pocketrec convert run --graph retriever --form partitioned
      pocketrec convert --saved-model DIR --representative FILE.npz --out tflite
    """
    from ...api import conversion

    with working(verbose):
        converted = conversion.convert(
            run,
            graphs=graphs or (),
            recipes=recipes or (),
            k=k,
            form=form,
            saved_model=saved_model,
            signature=signature,
            representative=representative,
            allow_select_tf_ops=allow_select_tf_ops,
            out=out,
        )
    show_variants(converted)
    if converted.unusable and not allow_select_tf_ops:
        raise typer.Exit(1)
    if compare and run is not None:
        with working(verbose):
            compared = conversion.compare(run)
        show_comparison(compared)


def show_variants(converted: "Conversion") -> None:
    """The files that were written."""
    from ..render.conversion import variants_table

    show(variants_table(converted.variants))
    for variant in converted.unusable:
        show(f"{variant.file} runs on no runtime: {'; '.join(variant.refusals)}")


def show_comparison(compared: "Comparison") -> None:
    """The files next to those of other converters."""
    from ..render.conversion import comparison_reasons, comparison_table

    show(comparison_table(compared.record), *comparison_reasons(compared.record))
