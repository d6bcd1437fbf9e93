"""Vega-Lite to SVG: one theme, two drawings (wide, and for a phone), static, so that a page needs no library to show them.

Colours are those of the light theme; the page's style sheet maps each of them to the dark theme's by attribute.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from ...core.errors import InputError
from ..latency.case_kinds import KINDS

Spec: TypeAlias = dict[str, Any]

# Ink, soft ink, grid, axis, what marks a limit, and bars: light, dark.
THEME = {
    "ink": ("#1c2128", "#e6e8eb"),
    "soft": ("#57606a", "#9aa5b1"),
    "grid": ("#e4e7eb", "#2b3138"),
    "axis": ("#b4bac2", "#4b545e"),
    "limit": ("#c01c28", "#ff7b72"),
    "bar": ("#8896a8", "#71808f"),
    "bar2": ("#d6a13c", "#c99a45"),
    "bar3": ("#c3ccd6", "#4a5662"),
}
INK, SOFT, GRID, AXIS, LIMIT, BAR, BAR2, BAR3 = (light for light, _ in THEME.values())
WIDE, NARROW = 980, 340
_VEGA_LITE = "6.4"
_PLACES = re.compile(r' (?:d|transform|x|y|x2|y2|width|height)="[^"]*"')
_FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"


@dataclass(frozen=True)
class Size:
    """How much room a chart has: `width` pixels over all, and whether it is the wide drawing."""

    width: int
    is_wide: bool

    def columns(self, most: int) -> int:
        return most if self.is_wide else 1


SIZES = (Size(WIDE, True), Size(NARROW, False))


def palette() -> list[tuple[str, str]]:
    """Every (light, dark) pair of colours that charts use."""
    return [*THEME.values(), *((kind.light, kind.dark) for kind in KINDS.values())]


def draw(name: str, spec_of: Callable[[Size], Spec]) -> dict[str, str]:
    """SVG texts `wide` and `narrow` of a chart.

    Args:
        name: prefix of ids inside the drawing, which share one document with other drawings.

    Raises:
        InputError: vl-convert is not installed.
    """
    return {
        "wide" if size.is_wide else "narrow": _svg(spec_of(size), f"{name}-{'w' if size.is_wide else 'n'}")
        for size in SIZES
    }


def _svg(spec: Spec, prefix: str) -> str:
    try:
        import vl_convert
    except ImportError as error:
        do = "run `pip install 'pocketrec[bench]'`"
        raise InputError("report", expected="vl-convert-python", given="none", do=do, code="NOT_INSTALLED") from error
    svg = vl_convert.vegalite_to_svg({**spec, "config": _config()}, vl_version=_VEGA_LITE)
    svg = re.sub(r'(id="|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = _PLACES.sub(lambda found: re.sub(r"(?<=\d\.\d)\d+", "", found[0]), svg)  # a tenth of a pixel is enough
    return svg.replace("<svg ", f'<svg role="img" aria-labelledby="caption-{prefix[:-2]}" ', 1)


def _config() -> Spec:
    text = {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"}
    return {
        "background": None,
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            **text,
            "labelColor": SOFT,
            "titleColor": SOFT,
            "gridColor": GRID,
            "domainColor": AXIS,
            "tickColor": AXIS,
            "titlePadding": 8,
        },
        "legend": {
            **text,
            "labelColor": INK,
            "titleColor": SOFT,
            "orient": "top",
            "labelLimit": 260,
            "title": None,
            "symbolSize": 70,
            "rowPadding": 4,
            "columnPadding": 34,
        },
        "title": {"color": INK, "fontSize": 12, "anchor": "start", "fontWeight": "bold", "offset": 6},
        "text": {"fontSize": 11, "fill": INK},
        "concat": {"spacing": 26},
    }


def values(data: Iterable[Spec]) -> Spec:
    """Inline data of a layer."""
    return {"values": list(data)}


def kind_colour(kinds: Sequence[str], columns: int, *, legend: bool = True) -> Spec:
    """Colour by kind of case, with names in the legend."""
    names = json.dumps({key: KINDS[key].name for key in kinds})
    shown = {"columns": columns, "labelExpr": f"({names})[datum.label]", "symbolType": "circle"}
    return {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": list(kinds), "range": [KINDS[key].light for key in kinds]},
        "legend": shown if legend else None,
    }


def microseconds(title: str | None, low: float, high: float, *, tight: bool = False) -> Spec:
    """A log axis of microseconds from `low` to `high`, labelled in µs, ms or s; grid at 1 and 3, or 1 alone where it is tight."""
    steps = (1,) if tight else (1, 3)
    ticks = [step * 10**power for power in range(-1, 8) for step in steps if low <= step * 10**power <= high]
    label = (
        "datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' s' : datum.value >= 1e3 ? "
        "format(datum.value / 1e3, '~g') + ' ms' : format(datum.value, '~g') + ' µs'"
    )
    return {
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {"title": title, "values": ticks, "labelExpr": label, "labelOverlap": True},
    }


def present(rows: Sequence[Spec]) -> list[str]:
    """Kinds that occur, in the order of `KINDS`."""
    return [key for key in KINDS if any(row["kind"] == key for row in rows)]


def apart(places: Sequence[float], least: float) -> list[float]:
    """`places` moved as little as needed for each to be `least` and more from the next: places for labels beside line ends."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    placed = list(places)
    for _ in range(50):
        moved = False
        for below, above in pairwise(order):
            missing = least - (placed[above] - placed[below])
            if missing > 1e-9:
                placed[below], placed[above], moved = placed[below] - missing / 2, placed[above] + missing / 2, True
        if not moved:
            break
    return placed
