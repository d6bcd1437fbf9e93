"""What reaches the terminal: results on stdout, progress and errors on stderr, and the exit status."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Tables in a file or a pipe are as wide as their content; COLUMNS sets another width.
_UNBOUNDED = 10_000


def show(*things: "RenderableType") -> None:
    """Print lines and tables to stdout: tables as wide as the terminal, lines never broken."""
    console = _stdout()
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))


def show_json(document: object) -> None:
    """Print a JSON document to stdout."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _stdout() -> "Console":
    from rich.console import Console

    measured = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(width=None if measured else _UNBOUNDED, highlight=False, markup=False, emoji=False)


@contextlib.contextmanager
def working(verbose: bool) -> Iterator[None]:
    """Show what the stages log as progress on a terminal, and keep native libraries' chatter aside."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from ..core.native_log import native_stderr_kept_aside
    from ..train.tensorflow_setup import configure_tensorflow

    configure_tensorflow()
    with native_stderr_kept_aside(verbose):
        console = Console(stderr=True)
        if verbose or not console.is_terminal:
            with logged(lambda text: console.print(text, highlight=False, markup=False) if verbose else None):
                yield
            return
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("starting", total=None)
            with logged(lambda text: progress.update(task, description=text)):
                yield


@contextlib.contextmanager
def logged(step: Callable[[str], object]) -> Iterator[None]:
    """Hand each step that the stages log to `step` while the block runs."""

    class Steps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            step(record.getMessage())

    logger, handler = logging.getLogger("pocketrec"), Steps(logging.INFO)
    before = logger.level, logger.propagate
    logger.propagate = False  # TensorFlow's logging puts handlers of its own on the root logger
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


def exit_status(command: Callable[[], object]) -> int:
    """Run a command; an error meant for people is one line on stderr that ends with its code."""
    import typer

    from ..core.errors import PocketrecError

    try:
        code = command()
    except PocketrecError as error:
        return fail(f"{error} [{error.code}]", error.exit_code)
    except typer.TyperException as error:  # what Typer itself finds wrong with the usage
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "pocketrec"
        text = " ".join(error.format_message().split()).rstrip(".")
        return fail(f"{text}; see `{path} --help` [USAGE]", 2)
    except (typer.Abort, KeyboardInterrupt):
        return fail("interrupted [INTERRUPTED]", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def fail(text: str, code: int) -> int:
    sys.stderr.write(f"error: {text}\n")
    return code
