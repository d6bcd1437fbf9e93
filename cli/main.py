"""The `pocketrec` command. Each subcommand imports its stage only when it runs, so that --help stays fast."""

import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Annotated

import typer

from ..api.rules import rules_text
from .commands.bundle import bundle
from .commands.convert import convert
from .commands.demo import demo
from .commands.doctor import doctor
from .commands.evaluate import evaluate
from .commands.inspect import inspect
from .commands.keygen import keygen
from .commands.latency import latency
from .commands.list import list_names
from .commands.parity import parity
from .commands.recommend import recommend
from .commands.report import report
from .commands.serve import serve
from .commands.train import train
from .commands.update import update
from .commands.verify import verify
from .console import exit_status
from .help import Command

# In the order of --help: on the way from ratings to an app.
COMMANDS: tuple[Callable[..., None], ...] = (
    demo,
    doctor,
    list_names,
    train,
    evaluate,
    convert,
    inspect,
    parity,
    latency,
    report,
    bundle,
    keygen,
    verify,
    update,
    serve,
    recommend,
)

app = typer.Typer(add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False)
for command in COMMANDS:
    name = "list" if command is list_names else command.__name__
    app.command(name, cls=Command, epilog=rules_text(name))(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pocketrec {metadata.version('pocketrec')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def pocketrec(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """From a TensorFlow recommender to a phone-ready TFLite bundle, with proof that both recommend the same."""
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command on `arguments`, those of the process when None; returns the exit status."""
    command = typer.main.get_command(app)
    arguments = sys.argv[1:] if arguments is None else arguments
    return exit_status(lambda: command.main(list(arguments), prog_name="pocketrec", standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())
