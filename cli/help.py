"""Help texts that name defaults and entries of tables: `{threads}`, `{presets}`. They are filled in when help is shown.

So a help text cannot differ from the code, and `pocketrec --help` need not import the stages.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import Any, TypeAlias

from typer.core import TyperCommand

_Click: TypeAlias = Any  # Typer's own copy of Click has no public names

# Where a stage keeps a default.
_DEFAULTS = {
    "recipe": ("convert.quantize.recipes", "DEFAULT_RECIPE"),
    "k": ("core.scoring", "DEFAULT_K"),
    "threads": ("benchmarks.latency.options", "THREADS"),
    "encoder": ("train.encoders", "DEFAULT_ENCODER"),
    "dimension": ("train.encoders", "DEFAULT_DIMENSION"),
    "processes": ("benchmarks.latency.options", "PROCESSES"),
    "samples": ("benchmarks.latency.options", "SAMPLES"),
}


class Command(TyperCommand):
    """A command whose help texts may hold the names of defaults and tables in braces."""

    def fill_help(self) -> None:
        """Put values in place of the names."""
        parameters: list[_Click] = self.params
        for parameter in parameters:
            text: str = getattr(parameter, "help", None) or ""
            if "{" in text:
                parameter.help = text.format_map(_Values())

    def format_options(self, ctx: _Click, formatter: _Click) -> None:
        self.fill_help()
        super().format_options(ctx, formatter)


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        from ..api.tables import names

        if name not in _DEFAULTS:
            return listed(names(name), "or")
        module, attribute = _DEFAULTS[name]
        value: object = getattr(import_module(f"..{module}", __package__), attribute)
        return listed(map(str, value), "and") if isinstance(value, tuple) else str(value)


def listed(names: Iterable[str], word: str) -> str:
    """`a, b or c`."""
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last
