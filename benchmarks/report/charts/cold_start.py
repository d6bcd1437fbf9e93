"""The chart of cold starts, from latency.json: load, allocation and the first call, stacked."""

from collections.abc import Sequence
from dataclasses import replace

from ....core.records.latency import LatencyRow
from ...latency.case_kinds import is_usual, name_of, own_catalogue
from ..columns import Column
from ..presentation import megabytes, milliseconds, significant
from ..tables import called, executor
from ..vega import BAR, BAR2, BAR3, Size, Spec, values
from .chart import Chart, Results


def _select(results: Results) -> list[LatencyRow]:
    rows = own_catalogue(results.rows)
    return [row for row in rows if row.load_ms is not None and (is_usual(row) or row.delegate == "none")]


def _times(row: LatencyRow) -> tuple[float, float, float]:
    """Milliseconds of loading without allocation, of allocation, and of the first call."""
    allocate = row.allocate_ms or 0.0
    return (row.load_ms or 0.0) - allocate, allocate, row.first_call_ms or 0.0


def _has_allocation(rows: Sequence[LatencyRow]) -> bool:
    """Whether allocation is known apart from loading."""
    return any(row.allocate_ms is not None for row in rows)


def _parts(rows: Sequence[LatencyRow]) -> list[Spec]:
    return [
        {
            "part": part,
            "order": order,
            "ms": ms,
            "name": name_of(replace(row, delegate=None)),
            "place": _place(row),
            "said": f"{name_of(row)}, {row.executor}, {part}: {significant(ms)} ms",
        }
        for row in rows
        for order, (part, ms) in enumerate(zip(("load", "allocate", "first call"), _times(row), strict=True))
    ]


def _spec(rows: Sequence[LatencyRow], size: Size) -> Spec:
    colours = {"load": BAR, "allocate": BAR3, "first call": BAR2}
    if not _has_allocation(rows):
        del colours["allocate"]
    parts = [part for part in _parts(rows) if part["part"] in colours]
    places = list(dict.fromkeys(part["place"] for part in parts))
    most = {place: _axis_end([row for row in rows if _place(row) == place]) for place in places}
    phones = [end for place, end in most.items() if not place.startswith("server")]
    most |= {place: max(phones) for place in places if not place.startswith("server")}  # on one scale
    panels = [_panel(place, [p for p in parts if p["place"] == place], most[place], size, colours) for place in places]
    scales = {"scale": {"x": "independent", "y": "independent"}}
    return {"concat": panels, "columns": size.columns(2), "resolve": scales}


def _total(row: LatencyRow) -> float:
    return (row.load_ms or 0.0) + (row.first_call_ms or 0.0)


def _axis_end(rows: Sequence[LatencyRow]) -> float:
    """The longest, but no more than four times the median: one slow disk must not flatten all others."""
    totals = sorted(map(_total, rows))
    return min(totals[-1], 4 * totals[len(totals) // 2])


def _place(row: LatencyRow) -> str:
    if row.is_tflite:
        return row.executor + (", no XNNPACK" if row.delegate == "none" else "")
    return "server process, until it answers" if row.covers == "served" else "server libraries"


def _panel(place: str, parts: Sequence[Spec], most: float, size: Size, colours: dict[str, str]) -> Spec:
    """Bars of one place up to `most` milliseconds; what is longer is cut there, with its length written on it."""
    totals: dict[str, float] = {}
    for part in parts:
        totals[part["name"]] = totals.get(part["name"], 0.0) + part["ms"]
    beyond = [{"name": name, "at": most, "text": f"{significant(ms)} ms →"} for name, ms in totals.items() if ms > most]
    axis = {"title": None, "labelLimit": 190, "minExtent": 186, "domain": False, "ticks": False}
    y = {"field": "name", "type": "nominal", "sort": list(totals), "axis": axis}
    scale = {"domain": [0, most], "nice": False}
    x = {"type": "quantitative", "scale": scale, "axis": {"title": "ms", "tickCount": 5 if size.is_wide else 3}}
    colour = {"field": "part", "type": "nominal", "scale": {"domain": list(colours), "range": list(colours.values())}}
    encoding = {
        "y": y,
        "x": {**x, "field": "ms", "stack": True},
        "color": colour,
        "order": {"field": "order"},
        "description": {"field": "said"},
    }
    bars = {"data": values(parts), "mark": {"type": "bar", "height": 9, "clip": True}, "encoding": encoding}
    cut = {
        "data": values(beyond),
        "mark": {"type": "text", "align": "right", "dx": -3},
        "encoding": {"y": y, "x": {**x, "field": "at"}, "text": {"field": "text"}},
    }
    width = size.width // 2 - 215 if size.is_wide else size.width - 200
    return {"title": place, "width": width, "height": {"step": 15}, "layer": [bars, *([cut] if beyond else [])]}


def _caption(rows: Sequence[LatencyRow]) -> str:
    said = []
    phones, servers = ([row for row in rows if row.is_tflite is on_phone] for on_phone in (True, False))
    for words, chosen in (("Phone variants", phones), ("servers", servers)):
        if chosen:
            least, most = (f(map(_total, chosen)) for f in (min, max))
            said.append(f"{words} have answered their first call after {significant(least)} to {significant(most)} ms")
    more = (
        ""
        if _has_allocation(rows)
        else " Loading includes allocating tensors; this latency.json has no separate figure."
    )
    return f"{'; '.join(said)}.{more}"


COLD_START = Chart(
    name="cold",
    title="Cold start",
    short_title="Cold start",
    command="pocketrec latency RUN",
    source="latency.json: results[].load_ms, allocate_ms, first_call_ms",
    select=_select,
    columns=(
        Column("subject", "", called, is_number=False),
        Column("runtime", "", executor, is_number=False),
        Column("load, with allocation", "load_ms", milliseconds),
        Column("of it allocation", "allocate_ms", milliseconds),
        Column("first call", "first_call_ms", milliseconds),
        Column("peak memory", "peak_rss_bytes", megabytes),
    ),
    spec=_spec,
    caption=_caption,
)
