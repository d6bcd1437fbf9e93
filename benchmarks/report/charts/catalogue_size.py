"""The chart of latency against the size of the catalogue, from a sweep in latency.json."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....core.records.latency import LatencyReport, LatencyRow
from ...latency.case_kinds import kind_of, kind_of_runtime
from ..columns import Column
from ..presentation import count, duration, kilobytes, share, significant
from ..vega import LIMIT, SOFT, Size, Spec, apart, kind_colour, microseconds, present, values
from .chart import Chart, Results, span

_DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [1, 3], [4, 4], [12, 3])
_TICKS = (1000, 3000, 10**4, 30000, 10**5, 300000, 10**6, 3 * 10**6, 10**7)


@dataclass(frozen=True)
class SweepPoint:
    """A row of a sweep.

    Attributes:
        form: what its line is called.
        report: the whole report, for the growth and the cost model.
    """

    row: LatencyRow
    form: str
    p50: float
    n_items: int
    report: LatencyReport

    @property
    def measured(self) -> str:
        return f"{duration(self.p50)} at recall {share(self.row.recall_at_k)}"

    @property
    def datum(self) -> Spec:
        row = self.row
        return {
            "kind": kind_of(row),
            "n": self.n_items,
            "p50": self.p50,
            "form": self.form,
            "line": f"{self.form} {row.runtime} {row.threads} {row.dimension}",
            "label": self.form,
            "said": f"{self.form}, {row.runtime}, {self.n_items:,} items: {self.measured}",
        }


def _select(results: Results) -> list[SweepPoint]:
    rows = [row for row in results.rows if not row.is_own_catalogue]
    several = len({row.dimension for row in rows if row.p50_us}) > 1
    return [
        SweepPoint(row, _line_label(row, with_dimension=several), row.p50_us, row.n_items, results.latency)
        for row in rows
        if row.p50_us and row.n_items
    ]


def _line_label(row: LatencyRow, *, with_dimension: bool = False) -> str:
    """What a line is called: ScaNN's approximate configurations change with the size, their line is one."""
    form = row.form or ""
    name = form.replace("_", " ")
    if not row.is_tflite:
        weighted = ", weighted" if form.endswith("_weighted") else ""
        name = "ScaNN " + (name if row.is_exact else f"as advised{weighted}")
    return name + (f", d {row.dimension}" if with_dimension else "")


def _reading(report: LatencyReport) -> list[Spec]:
    """What reading the int8 rows alone would take, at each size."""
    return [
        {
            "n": growth.n_items,
            "p50": growth.scanned_bytes / growth.read_gb_s / 1e3,
            "line": "reading",
            "said": f"reading {growth.scanned_bytes:,} bytes of int8 rows at {significant(growth.read_gb_s)} GB/s",
        }
        for growth in report.growth or ()
        if growth.read_gb_s
    ]


def _fitted(report: LatencyReport) -> list[Spec]:
    """The cost model of full scans, at each size."""
    return [
        {
            "n": point.n_items,
            "p50": point.fitted_us,
            "line": f"{cost.runtime} {cost.threads}",
            "kind": kind_of_runtime(cost.runtime),
            "said": f"cost model, {cost.runtime}, {point.n_items:,} items: {duration(point.fitted_us)}",
        }
        for cost in report.cost_model or ()
        for point in cost.residuals
        if point.form == "full_scan"
    ]


def _spec(points: Sequence[SweepPoint], size: Size) -> Spec:
    rows, report = [point.datum for point in points], points[0].report
    reading = _reading(report)
    low, high = span([row["p50"] for row in [*rows, *reading]], 1.5)
    height, room = (400, 215) if size.is_wide else (380, 0)
    x = _items_axis(rows)
    y = {"field": "p50", **microseconds("median of one query", low, high, tight=not size.is_wide)}
    colour = kind_colour(present(rows), size.columns(4))
    layers = [*_lines(rows, x, y, colour, size), *_beside(_fitted(report), reading, x, y, colour)]
    if size.is_wide:
        layers.append(_labels(rows, x, y, colour, math.log(high / low) * 13.5 / height))
        layers += [_reading_label(x, y, reading)] if reading else []
    return {"width": size.width - 60 - room, "height": height, "layer": layers}


def _items_axis(rows: Sequence[Spec]) -> Spec:
    least, most = (f(row["n"] for row in rows) for f in (min, max))
    ticks = [n for n in _TICKS if least * 0.9 <= n <= most * 1.1]
    return {
        "field": "n",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [least / 1.08, most * 1.08], "nice": False},
        "axis": {"title": "items in the catalogue", "values": ticks, "format": "~s", "grid": False},
    }


def _lines(rows: Sequence[Spec], x: Spec, y: Spec, colour: Spec, size: Size) -> list[Spec]:
    dashed = {} if size.is_wide else {"strokeDash": _dashes(rows, size)}
    line = {"x": x, "y": y, "color": colour, "detail": {"field": "line"}, **dashed}
    point = {"x": x, "y": y, "color": colour, "description": {"field": "said"}}
    return [
        {"data": values(rows), "mark": {"type": "line", "strokeWidth": 1.6}, "encoding": line},
        {"data": values(rows), "mark": {"type": "point", "filled": True, "size": 42}, "encoding": point},
    ]


def _dashes(rows: Sequence[Spec], size: Size) -> Spec:
    """A dash for each form: a narrow chart has no room for labels beside the lines."""
    forms = list(dict.fromkeys(row["form"] for row in rows))
    legend = {
        "orient": "bottom",
        "columns": size.columns(2),
        "symbolStrokeColor": SOFT,
        "symbolType": "stroke",
        "symbolSize": 300,
        "labelLimit": 220,
    }
    dashes = [_DASHES[number % len(_DASHES)] for number in range(len(forms))]
    return {"field": "form", "type": "nominal", "scale": {"domain": forms, "range": dashes}, "legend": legend}


def _beside(fitted: Sequence[Spec], reading: Sequence[Spec], x: Spec, y: Spec, colour: Spec) -> list[Spec]:
    """Crosses of the cost model, and the dotted line of plain reading."""
    cross = {"type": "point", "shape": "M-1,-1L1,1M-1,1L1,-1", "size": 28, "filled": False, "strokeWidth": 1.2}
    dots = {"filled": True, "fill": LIMIT, "size": 14}
    line = {"type": "line", "stroke": LIMIT, "strokeDash": [2, 3], "strokeWidth": 1.4, "point": dots}
    said = {"field": "said"}
    return [
        {"data": values(fitted), "mark": cross, "encoding": {"x": x, "y": y, "color": colour, "description": said}},
        {"data": values(reading), "mark": line, "encoding": {"x": x, "y": y, "description": said}},
    ]


def _labels(rows: Sequence[Spec], x: Spec, y: Spec, colour: Spec, least: float) -> Spec:
    """Names beside the ends of lines, at least `least` apart in logarithms of microseconds."""
    ends = [row for row in rows if row["n"] == max(other["n"] for other in rows if other["line"] == row["line"])]
    places = apart([math.log(row["p50"]) for row in ends], least)
    labels = [{**row, "at": math.exp(at)} for row, at in zip(ends, places, strict=True)]
    return {
        "data": values(labels),
        "mark": {"type": "text", "align": "left", "dx": 9, "clip": False},
        "encoding": {"x": x, "y": {**y, "field": "at"}, "text": {"field": "label"}, "color": colour},
    }


def _reading_label(x: Spec, y: Spec, reading: Sequence[Spec]) -> Spec:
    first = min(reading, key=lambda row: row["n"])
    return {
        "data": values([{**first, "label": "reading the int8 rows alone"}]),
        "mark": {"type": "text", "align": "left", "dx": 10, "dy": 6, "fill": LIMIT},
        "encoding": {"x": x, "y": y, "text": {"field": "label"}},
    }


def _caption(points: Sequence[SweepPoint]) -> str:
    most = max(point.n_items for point in points)
    largest = [point for point in points if point.n_items == most]
    phones = [point for point in largest if point.row.is_tflite]
    parts = []
    for words, mine in (("phone", phones), ("server, index only", [p for p in largest if not p.row.is_tflite])):
        if mine:
            best = min(mine, key=lambda point: point.p50)
            parts.append(f"{words}: {_line_label(best.row)} ({best.row.runtime}), {best.measured}")
    said = f"Over {most:,} items the fastest are, on the {'; on the '.join(parts)}."
    scans = [point for point in phones if point.row.form == "full_scan"]
    if scans:
        scan = min(scans, key=lambda point: point.p50)
        said += f" A full int8 scan on {scan.row.runtime} takes {duration(scan.p50)}."
    return f"{said} Crosses: the fitted cost model of full scans; dotted: one thread that only reads the int8 rows."


CATALOGUE_SIZE = Chart(
    name="items",
    title="Latency against the size of the catalogue",
    short_title="Catalogue size",
    command="pocketrec latency RUN --items 10000 --items 100000",
    source="latency.json: results[] with form; growth[].scanned_bytes / read_gb_s; cost_model[].residuals[].fitted_us",
    select=_select,
    columns=(
        Column("form", "form", is_number=False),
        Column("runtime", "row.runtime", is_number=False),
        Column("items", "n_items", count),
        Column("recall@k", "row.recall_at_k", share),
        Column("p50", "row.p50_us", duration),
        Column("p90", "row.p90_us", duration),
        Column("p99", "row.p99_us", duration),
        Column("size", "row.size_bytes", kilobytes),
    ),
    spec=_spec,
    caption=_caption,
    order=lambda point: (point.n_items, point.p50),
)
