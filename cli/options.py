"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .completion import names_of


def named(table: str, *flags: str, help: str) -> Any:
    """An option whose values are names of a table, which shells complete."""
    return typer.Option(*flags, help=help, autocompletion=names_of(table))


Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show TensorFlow's own log and every step.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)]
OptionalRun = Annotated[Path | None, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)]
Runtimes = Annotated[list[str] | None, named("runtimes", "--runtime", help="Runtime; may be repeated. Default: all.")]
PhoneRuntimes = Annotated[
    list[str] | None,
    named("runtimes", "--runtime", help="Runtime; may be repeated. Default: those that apps ship."),
]
Targets = Annotated[list[str] | None, named("targets", "--target", help="Processor; may be repeated. Default: host.")]
Recipes = Annotated[
    list[str] | None,
    named("recipes", "--recipe", help="Recipe; may be repeated. Default: all."),
]
SavedModel = Annotated[Path | None, typer.Option("--saved-model", help="A SavedModel that this kit did not train.")]
Signature = Annotated[str | None, typer.Option(help="Signature of the SavedModel. Default: its first.")]
Tflite = Annotated[Path | None, typer.Option(help="A .tflite file of any origin.")]
Inputs = Annotated[Path | None, typer.Option(help="An .npz with one array per input; first axis: queries.")]
Json = Annotated[bool, typer.Option("--json", help="Print the JSON document instead of tables.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="A prepared TFDS directory, GroupLens' folder or zip, or the package file.", show_default=False),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        metavar="PUBLIC_KEY",
        help="Ed25519 public key (PEM) that may have signed; may be repeated. Refuses unsigned bundles.",
    ),
]
AllowDowngrade = Annotated[
    bool, typer.Option("--allow-downgrade", help="Let an update go back to a version below the base's.")
]
