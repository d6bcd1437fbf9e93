"""Numbers for people: three significant digits, units that fit, no exponents where a thousands separator will do."""

import math


def significant(value: float | None, digits: int = 3) -> str:
    """`value` rounded to `digits` significant digits; an en dash where there is none."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4:
        return f"{value:.{digits - 1}g}"
    rounded = round(value, digits - 1 - size)
    return f"{rounded:,.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def kilobytes(n_bytes: float | None) -> str:
    """kB of 1,000 bytes."""
    return "–" if n_bytes is None else f"{significant(n_bytes / 1e3)} kB"


def duration(microseconds: float | None) -> str:
    """Microseconds, from a thousand on milliseconds, from a million on seconds."""
    if microseconds is None:
        return "–"
    if microseconds < 1e3:
        return f"{significant(microseconds)} µs"
    return f"{significant(microseconds / 1e3)} ms" if microseconds < 1e6 else f"{significant(microseconds / 1e6)} s"


def percent(share: float | None) -> str:
    """A share as a whole percentage; `<1%` for what would round to nothing."""
    if share is None:
        return "–"
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"
