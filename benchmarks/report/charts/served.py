"""The chart of the request rates that a server holds, from latency.json."""

from collections.abc import Sequence

from ....core.records.latency import LatencyRow
from ...latency.case_kinds import KINDS
from ..columns import Column
from ..presentation import count, duration, significant
from ..vega import INK, LIMIT, Size, Spec, microseconds, values
from .chart import Chart, Results, span

_QUANTILES = (("p50", "p50_us"), ("p99", "p99_us"))


def _select(results: Results) -> list[LatencyRow]:
    return [row for row in results.rows if row.offered_per_s]


def _limit_us(rates: Sequence[LatencyRow]) -> float:
    return (rates[0].p99_limit_ms or 0.0) * 1e3


def held(breaks: str | None) -> str:
    """Whether a rate was held, or why not."""
    return f"not held: {breaks}" if breaks else "held"


def _points(rates: Sequence[LatencyRow]) -> list[Spec]:
    return [
        {
            "rate": row.offered_per_s,
            "us": microseconds_,
            "q": name,
            "held": "not held" if row.breaks else "held",
            "said": f"{row.offered_per_s:g} requests a second, {name}: {duration(microseconds_)}"
            + (f", {held(row.breaks)}" if row.breaks else ""),
        }
        for row in rates
        for name, field in _QUANTILES
        if (microseconds_ := getattr(row, field)) is not None
    ]


def _spec(rates: Sequence[LatencyRow], size: Size) -> Spec:
    points, limit = _points(rates), _limit_us(rates)
    offered = [row.offered_per_s or 0.0 for row in rates]
    low, high = span([*(point["us"] for point in points), limit], 1.5)
    x = {
        "field": "rate",
        "type": "quantitative",
        "axis": {"title": "requests offered a second", "values": offered, "grid": False},
        "scale": {"domain": [0, max(offered) * 1.08], "nice": False},
    }
    y = {"field": "us", **microseconds("from intended sending to answer", low, high, tight=not size.is_wide)}
    return {
        "width": 760 if size.is_wide else size.width - 60,
        "height": 260,
        "data": values(points),
        "layer": [*_lines(x, y), *_limit(y, limit)],
    }


def _lines(x: Spec, y: Spec) -> list[Spec]:
    colour = {"value": KINDS["served"].light}
    dash = {
        "field": "q",
        "type": "nominal",
        "scale": {"domain": ["p50", "p99"], "range": [[1, 0], [5, 3]]},
        "legend": {"symbolStrokeColor": INK, "symbolType": "stroke", "symbolSize": 400},
    }
    shape = {
        "field": "held",
        "type": "nominal",
        "scale": {"domain": ["held", "not held"], "range": ["circle", "cross"]},
        "legend": {"symbolFillColor": INK, "symbolStrokeColor": INK},
    }
    points = {"x": x, "y": y, "shape": shape, "color": colour, "description": {"field": "said"}}
    return [
        {
            "mark": {"type": "line", "strokeWidth": 1.6},
            "encoding": {"x": x, "y": y, "strokeDash": dash, "color": colour},
        },
        {"mark": {"type": "point", "filled": True, "size": 75, "opacity": 1}, "encoding": points},
    ]


def _limit(y: Spec, limit: float) -> list[Spec]:
    rule = {"type": "rule", "stroke": LIMIT, "strokeDash": [2, 3]}
    text = {"type": "text", "align": "left", "x": 4, "dy": -7, "fill": LIMIT}
    label = [{"us": limit, "text": f"p99 limit {duration(limit)}"}]
    return [
        {"data": values([{"us": limit}]), "mark": rule, "encoding": {"y": y}},
        {"data": values(label), "mark": text, "encoding": {"y": y, "text": {"field": "text"}}},
    ]


def _caption(rates: Sequence[LatencyRow]) -> str:
    good = [row for row in rates if not row.breaks]
    first = next((row for row in rates if row.breaks), None)
    said = (
        f"The server holds {good[-1].offered_per_s:g} requests per second"
        if good
        else "The server holds none of these rates"
    )
    if first is None:
        return f"{said}; higher rates were not tried."
    limit = duration(_limit_us(rates))
    return f"{said}; it does not hold {first.offered_per_s:g} per second ({first.breaks}). Limit of the 99th percentile: {limit}."


SERVED = Chart(
    name="served",
    title="What a server costs",
    short_title="Server",
    command="pocketrec latency RUN --served",
    source="latency.json: results[] with offered_per_s",
    select=_select,
    columns=(
        Column("offered /s", "offered_per_s", "{:g}".format),
        Column("answered /s", "achieved_per_s", significant),
        Column("p50", "p50_us", duration),
        Column("p90", "p90_us", duration),
        Column("p99", "p99_us", duration),
        Column("errors", "errors", count),
        Column("held", "breaks", held, is_number=False),
        Column("client's own p99 lag", "send_lag_p99_us", duration),
    ),
    spec=_spec,
    caption=_caption,
)
