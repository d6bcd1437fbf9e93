"""The chart of cold starts, from latency.json."""

from collections.abc import Mapping
from typing import Any

from ...latency.case_kinds import name_of, own_catalogue
from ...latency.cases import is_usual
from ..presentation import significant
from ..vega import BAR, BAR2, BAR3, Size, Spec, draw
from .figure import Figure

Row = Mapping[str, Any]


def cold_start(results: list[Row]) -> Figure | None:
    """Load, allocation (where it was told apart) and the first call, stacked; phones and servers on scales of their own."""
    rows = [
        row
        for row in own_catalogue(results)
        if row.get("load_ms") is not None and (is_usual(row) or row.get("delegate") == "none")
    ]
    if not rows:
        return None
    told = any(row.get("allocate_ms") is not None for row in rows)
    parts = []
    for row in rows:
        allocate = row.get("allocate_ms") or 0.0
        for order, (part, ms) in enumerate(
            (("load", row["load_ms"] - allocate), ("allocate", allocate), ("first call", row["first_call_ms"]))
        ):
            parts.append(
                {
                    "part": part,
                    "order": order,
                    "ms": ms,
                    "name": name_of({**row, "delegate": None}),
                    "place": _place(row),
                    "said": f"{name_of(row)}, {row['runtime']}, {part}: {significant(ms)} ms",
                }
            )
    if not told:
        parts = [part for part in parts if part["part"] != "allocate"]
    domain = ["load", "allocate", "first call"] if told else ["load", "first call"]
    colours = [BAR, BAR3, BAR2] if told else [BAR, BAR2]

    def spec(size: Size) -> Spec:
        places = list(dict.fromkeys(part["place"] for part in parts))
        most = {place: _axis_end([row for row in rows if _place(row) == place]) for place in places}
        phones = [end for place, end in most.items() if not place.startswith("server")]
        most |= {place: max(phones) for place in places if not place.startswith("server")}  # on one scale
        panels = [
            _cold_panel(place, [p for p in parts if p["place"] == place], most[place], size, domain, colours)
            for place in places
        ]
        return {
            "concat": panels,
            "columns": size.columns(2),
            "resolve": {"scale": {"x": "independent", "y": "independent"}},
        }

    table = [
        [
            name_of(r),
            r["runtime"],
            f"{significant(r['load_ms'])} ms",
            f"{significant(r.get('allocate_ms'))}{' ms' if r.get('allocate_ms') is not None else ''}",
            f"{significant(r['first_call_ms'])} ms",
            f"{significant(r['peak_rss_bytes'] / 1e6)} MB",
        ]
        for r in rows
    ]
    return Figure(
        "cold",
        "Cold start",
        _cold_said(rows, told),
        "latency.json: results[].load_ms, allocate_ms, first_call_ms",
        ("subject", "runtime", "load, with allocation", "of it allocation", "first call", "peak memory"),
        table,
        draw("cold", spec),
    )


def _total(row: Row) -> float:
    return row["load_ms"] + row["first_call_ms"]


def _axis_end(rows: list[Row]) -> float:
    """The longest, but no more than four times the middle one: one slow disk must not flatten all others."""
    totals = sorted(map(_total, rows))
    return min(totals[-1], 4 * totals[len(totals) // 2])


def _place(row: Row) -> str:
    if row["subject"] == "tflite":
        return row["runtime"] + (", no XNNPACK" if row.get("delegate") == "none" else "")
    return "server process, until it answers" if row.get("covers") == "served" else "server libraries"


def _cold_panel(place: str, parts: list[Any], most: float, size: Size, domain: list[str], colours: list[str]) -> Spec:
    """Bars of one place up to `most` milliseconds; what is longer is cut there, with its length written on it."""
    totals: dict[str, float] = {}
    for part in parts:
        totals[part["name"]] = totals.get(part["name"], 0.0) + part["ms"]
    beyond = [{"name": name, "at": most, "text": f"{significant(ms)} ms →"} for name, ms in totals.items() if ms > most]
    axis = {"title": None, "labelLimit": 190, "minExtent": 186, "domain": False, "ticks": False}
    y = {"field": "name", "type": "nominal", "sort": list(totals), "axis": axis}
    scale = {"domain": [0, most], "nice": False}
    x = {"type": "quantitative", "scale": scale, "axis": {"title": "ms", "tickCount": 5 if size.is_wide else 3}}
    bars = {
        "data": {"values": parts},
        "mark": {"type": "bar", "height": 9, "clip": True},
        "encoding": {
            "y": y,
            "x": {**x, "field": "ms", "stack": True},
            "color": {"field": "part", "type": "nominal", "scale": {"domain": domain, "range": colours}},
            "order": {"field": "order"},
            "description": {"field": "said"},
        },
    }
    cut = {
        "data": {"values": beyond},
        "mark": {"type": "text", "align": "right", "dx": -3},
        "encoding": {"y": y, "x": {**x, "field": "at"}, "text": {"field": "text"}},
    }
    width = size.width // 2 - 215 if size.is_wide else size.width - 200
    return {"title": place, "width": width, "height": {"step": 15}, "layer": [bars, *([cut] if beyond else [])]}


def _cold_said(rows: list[Row], told: bool) -> str:
    said = []
    for words, chosen in (
        ("Phone variants", [r for r in rows if r["subject"] == "tflite"]),
        ("servers", [r for r in rows if r["subject"] != "tflite"]),
    ):
        if chosen:
            least, most = (f(map(_total, chosen)) for f in (min, max))
            said.append(f"{words} have answered their first call after {significant(least)} to {significant(most)} ms")
    return (
        "; ".join(said)
        + "."
        + ("" if told else " Loading includes allocating tensors; this latency.json does not tell them apart.")
    )
