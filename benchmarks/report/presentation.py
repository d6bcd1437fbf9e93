"""How results are written for people, on every surface: numbers with three significant digits and their unit, marks, names."""

import math

NONE = "–"
MARKS = {"pass": "✓", "fail": "✗", "error": "!", "skipped": "–"}


def significant(value: float | None, digits: int = 3) -> str:
    """`value` rounded to `digits` significant digits; an en dash where there is none."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4:
        return f"{value:.{digits - 1}g}"
    rounded = round(value, digits - 1 - size)
    return f"{rounded:,.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def four_digits(value: float | None) -> str:
    """Four significant digits."""
    return significant(value, 4)


def two_digits(value: float | None) -> str:
    """Two significant digits."""
    return significant(value, 2)


def count(value: int | None) -> str:
    """A whole number with thousands separators."""
    return NONE if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """A number between 0 and 1 with three decimals."""
    return NONE if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share as a whole percentage; `<1%` for what would round to nothing."""
    if value is None:
        return NONE
    return "<1%" if 0 < value < 0.005 else f"{value:.0%}"


def kilobytes(n_bytes: float | None) -> str:
    """kB of 1,000 bytes."""
    return NONE if n_bytes is None else f"{significant(n_bytes / 1e3)} kB"


def megabytes(n_bytes: float | None) -> str:
    """MB of 1,000,000 bytes."""
    return NONE if n_bytes is None else f"{significant(n_bytes / 1e6)} MB"


def duration(microseconds: float | None) -> str:
    """Microseconds; milliseconds from a thousand on, seconds from a million on."""
    if microseconds is None:
        return NONE
    if microseconds < 1e3:
        return f"{significant(microseconds)} µs"
    return f"{significant(microseconds / 1e3)} ms" if microseconds < 1e6 else f"{significant(microseconds / 1e6)} s"


def milliseconds(value: float | None) -> str:
    """Milliseconds, whatever their size."""
    return NONE if value is None else f"{significant(value)} ms"


def plain(value: object) -> str:
    """Text as it is; an en dash where there is none."""
    return NONE if value is None or value == "" else str(value)


def counted(n: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
