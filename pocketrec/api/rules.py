"""Which options of a command go together: data, checked before anything slow, and printed by `--help`."""

import functools
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from ..core.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")


class Rule(Protocol):
    """A relation between options, which are named as people write them: `--items`, `RUN`."""

    def check(self, given: Mapping[str, bool]) -> None:
        """Raises:
        InputError: the options that were given break the rule.
        """
        ...

    def describe(self) -> str:
        """The rule as a clause for `--help`."""
        ...


@dataclass(frozen=True)
class Requires:
    """Each of `options` is allowed only beside `other`."""

    options: tuple[str, ...]
    other: str

    def check(self, given: Mapping[str, bool]) -> None:
        for option in self.options:
            if given.get(option) and not given.get(self.other):
                raise InputError(
                    option,
                    expected=f"{self.other} with it",
                    given="none",
                    do=f"add {self.other}",
                    code="OPTION_MISSING",
                )

    def describe(self) -> str:
        return f"{', '.join(self.options)}: only with {self.other}"


@dataclass(frozen=True)
class Excludes:
    """None of `options` is allowed beside `other`."""

    options: tuple[str, ...]
    other: str

    def check(self, given: Mapping[str, bool]) -> None:
        for option in self.options:
            if given.get(option) and given.get(self.other):
                raise InputError(
                    option,
                    expected=f"no {self.other} with it",
                    given="both",
                    do="leave one out",
                    code="OPTION_CONFLICT",
                )

    def describe(self) -> str:
        return f"{', '.join(self.options)}: not with {self.other}"


@dataclass(frozen=True)
class Either:
    """Either `argument`, or all of `options` in its place."""

    argument: str
    options: tuple[str, ...]

    def check(self, given: Mapping[str, bool]) -> None:
        named = [option for option in self.options if given.get(option)]
        expected = f"{self.argument}, or {' and '.join(self.options)}"
        if given.get(self.argument) and named:
            both = f"{self.argument} and {' '.join(named)}"
            raise InputError("arguments", expected=expected, given=both, do="leave one out", code="OPTION_CONFLICT")
        missing = [option for option in self.options if not given.get(option)]
        if not given.get(self.argument) and missing:
            none = f"no {self.argument} and no {' '.join(missing)}"
            raise InputError(
                "arguments", expected=expected, given=none, do="add what is missing", code="OPTION_MISSING"
            )

    def describe(self) -> str:
        return f"either {self.argument}, or {' and '.join(self.options)}"


def requires(*options: str) -> Requires:
    """`requires("--dimension", "--items")`: the last must stand beside each of the others."""
    return Requires(options[:-1], options[-1])


def excludes(*options: str) -> Excludes:
    """`excludes("--items", "--served")`: the last may not stand beside any of the others."""
    return Excludes(options[:-1], options[-1])


def either(argument: str, *options: str) -> Either:
    """`either("RUN", "--saved-model", "--out")`: the argument, or all of the options."""
    return Either(argument, options)


RULES: dict[str, tuple[Rule, ...]] = {
    "convert": (
        either("RUN", "--saved-model", "--out"),
        requires("--graph", "--k", "--form", "--compare", "RUN"),
        requires("--signature", "--representative", "--allow-select-tf-ops", "--saved-model"),
    ),
    "parity": (
        either("RUN", "--saved-model", "--tflite", "--inputs"),
        requires("--require", "--refresh-reference", "--rejudge", "--resume", "--graph", "--recipe", "RUN"),
        requires("--graph", "--recipe", "--blame"),
        excludes("--runtime", "--target", "--require", "--refresh-reference", "--aar", "--resume", "--rejudge"),
        excludes("--require", "--refresh-reference", "--resume", "--rejudge", "--blame"),
        requires("--signature", "--scores", "--out", "--saved-model"),
    ),
    "latency": (
        either("RUN", "--tflite"),
        requires("--items", "--served", "RUN"),
        requires("--inputs", "--out", "--tflite"),
        requires("--dimension", "--items"),
        requires("--rtt-ms", "--served"),
        excludes("--items", "--served"),
    ),
    "doctor": (
        requires("SERIAL", "--device"),
        excludes("--install", "--device"),
    ),
    "report": (requires("--fail-on", "--baseline"),),
    "bundle": (
        requires("--base", "--new-items", "--key", "--catalogue-only"),
        requires("--catalogue-only", "--base"),
        excludes("--recipe", "--auto", "--layout", "--target", "--catalogue-only"),
        excludes("--recipe", "--auto"),
    ),
    "verify": (
        either("BUNDLE", "--apk"),
        requires("--key", "--base", "BUNDLE"),
        requires("--allow-downgrade", "--base"),
    ),
    "recommend": (excludes("--history", "--prefer", "--user"),),
}
# Parameters whose option is not simply their name with dashes.
_OPTIONS = {
    "run": "RUN",
    "where": "BUNDLE",
    "serial": "SERIAL",
    "graphs": "--graph",
    "recipes": "--recipe",
    "runtimes": "--runtime",
    "targets": "--target",
    "keys": "--key",
    "genres": "--genre",
}


def option_of(parameter: str) -> str:
    """The option, as people write it, that a parameter stands for: `recipes` is `--recipe`."""
    return _OPTIONS.get(parameter, f"--{parameter.replace('_', '-')}")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the rules of the command that has the function's name before the function runs."""
    rules, signature = RULES[function.__name__], inspect.signature(function)

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        arguments = signature.bind(*args, **kwargs)
        arguments.apply_defaults()
        given = {
            option_of(name): value is not None and value is not False and value != () and value != []
            for name, value in arguments.arguments.items()
        }
        for rule in rules:
            rule.check(given)
        return function(*args, **kwargs)

    return inner


_LINES = textwrap.TextWrapper(74, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def rules_text(command: str) -> str | None:
    """The rules of a command as the last paragraph of its help; None where it has none."""
    texts = [rule.describe() for rule in RULES.get(command, ())]
    lines = [line for text in texts for line in _LINES.wrap(text)]
    return "\n".join(["\b", "Rules:", *lines]) if lines else None
