"""`pocketrec inspect`: what is inside a .tflite file."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import show, show_json
from ..options import Json


def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tflite", help="A .tflite file of any origin.", show_default=False)
    ],
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Also let LiteRT's GPU accelerator compile it, and say what it takes.")
    ] = False,
    as_json: Json = False,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="`trap`: exit 1 when a trap is found; `gpu-trap`: those of the GPU accelerator count too, and with --gpu a file "
            "that it does not compile."
        ),
    ] = None,
) -> None:
    """Show what is inside a .tflite file.

    Signatures, ops and their versions, tables, the minimum runtime, and traps: known ways in which a file that converts still
    fails an app.

    \b
    Examples:
      pocketrec inspect run/converted/ranker-dynamic_int8.tflite
      pocketrec inspect model.tflite --gpu
    """
    from ...api.conversion import inspect as inspect_model
    from ...core.errors import pick
    from ...runtimes.gpu_traps import GPU_TRAPS
    from ..render.inspection import inspection_tables

    if fail_on is not None:
        pick("--fail-on", fail_on, ("trap", "gpu-trap"))
    found = inspect_model(file, gpu=gpu)
    if as_json:
        show_json(found.to_json())
    else:
        show(*inspection_tables(found))
    is_caught = any(fail_on == "gpu-trap" or trap.trap not in GPU_TRAPS for trap in found.traps)
    if fail_on and (is_caught or (fail_on == "gpu-trap" and found.gpu and found.gpu.reason)):
        raise typer.Exit(1)
