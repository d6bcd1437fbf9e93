"""The chart of latency against recall, from latency.json."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....core.records.latency import LatencyRow
from ...latency.case_kinds import is_on_phone, kind_of, name_of, usual
from ..columns import Column
from ..presentation import duration, share, significant
from ..tables import called
from ..vega import SOFT, Size, Spec, kind_colour, microseconds, present, values
from .chart import Chart, Results, span

_RECALLS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)


@dataclass(frozen=True)
class RecallPoint:
    """A row that returns a list from the run's own catalogue."""

    row: LatencyRow
    p50: float
    recall: float

    @property
    def datum(self) -> Spec:
        row = self.row
        return {
            "kind": kind_of(row),
            "name": name_of(row),
            "p50": self.p50,
            "recall": self.recall,
            "graph": row.graph or "server",
            "said": f"{name_of(row)}, {row.executor}: {duration(self.p50)} at recall {self.recall:.3f}",
        }


def _select(results: Results) -> list[RecallPoint]:
    return [
        RecallPoint(row, row.p50_us, row.recall_at_k)
        for row in usual(results.rows)
        if row.recall_at_k is not None and row.p50_us
    ]


def _spec(points: Sequence[RecallPoint], size: Size) -> Spec:
    shown = [point.datum for point in points]
    low, high = span([point.p50 for point in points], 1.4)
    bottom = math.floor(min(point.recall for point in points) * 20 - 0.2) / 20
    ticks = [value for value in _RECALLS if value >= bottom]
    x = {"field": "p50", **microseconds("median of one call", low, high, tight=not size.is_wide)}
    y = {
        "field": "recall",
        "type": "quantitative",
        "axis": {"title": "recall@k against the exact list, stretched towards 1", "values": ticks},
        "scale": {"type": "pow", "exponent": 8, "domain": [max(bottom, 0), 1.004], "nice": False},
    }
    encoding = {
        "color": kind_colour(present(shown), size.columns(3)),
        "shape": _shape(shown, size),
        "description": {"field": "said"},
    }
    marks = {"type": "point", "filled": True, "size": 75, "opacity": 0.85, "stroke": None}
    labels = _labels([datum for datum in shown if datum["graph"] == "server"], math.sqrt(low * high))
    return {
        "width": size.width - 60,
        "height": 300,
        "data": values(shown),
        "encoding": {"x": x, "y": y},
        "layer": [{"mark": marks, "encoding": encoding}, *(labels if size.is_wide else ())],
    }


def _shape(shown: Sequence[Spec], size: Size) -> Spec:
    graphs = list(dict.fromkeys(datum["graph"] for datum in shown))
    shapes = ["circle", "diamond", "square", "triangle-up"][: len(graphs)]
    legend = {
        "orient": "bottom",
        "columns": size.columns(4),
        "symbolStrokeColor": SOFT,
        "symbolFillColor": "transparent",
    }
    return {"field": "graph", "type": "nominal", "scale": {"domain": graphs, "range": shapes}, "legend": legend}


def _labels(labelled: Sequence[Spec], middle: float) -> list[Spec]:
    """Labels of the servers' points, neighbours of like recall on different sides, none of them out of the chart.

    Args:
        middle: microseconds in the middle of the axis.
    """
    by_recall: dict[float, list[Spec]] = {}
    for datum in sorted(labelled, key=lambda datum: datum["p50"]):
        by_recall.setdefault(round(datum["recall"], 2), []).append(datum)
    layers = []
    for data in by_recall.values():
        sides = [("left", 6, -14), ("right", -9, 0), ("left", 9, 0), ("right", 6, -14)]
        if len(data) <= len(sides):
            sides = [*sides[: len(data) - 1], sides[-1] if data[-1]["p50"] > middle else sides[0]]
        for datum, (side, dx, dy) in zip(data, sides, strict=False):
            mark = {"type": "text", "align": side, "dx": dx, "dy": dy}
            layers.append({"data": values([datum]), "mark": mark, "encoding": {"text": {"field": "name"}}})
    return layers


def _caption(points: Sequence[RecallPoint]) -> str:
    variants = [point for point in points if point.row.is_tflite]
    # Only times of one machine are compared with those of its servers.
    phones = [point for point in variants if not is_on_phone(point.row)] or variants
    phones = [point for point in phones if point.row.graph == "retriever"] or phones
    servers = [point for point in points if not point.row.is_tflite and point.row.covers != "index"]
    if not phones:
        return "No variant of this run returns a list."
    best = min(phones, key=lambda point: point.p50)
    time = f"takes {duration(best.p50)} at recall {best.recall:.3f}"
    said = f"The fastest phone list, {name_of(best.row)} on {best.row.executor}, {time}."
    if not servers or is_on_phone(best.row):
        return said
    server = min(servers, key=lambda point: point.p50)
    times = significant(server.p50 / best.p50, 2)
    return (
        f"{said} The fastest server that starts from the same query, {name_of(server.row)}, takes {duration(server.p50)} at "
        f"{server.recall:.3f}: {times} times that, before any network."
    )


COLUMNS = (
    Column("subject", "row", called, is_number=False),
    Column("runtime", "row.executor", is_number=False),
    Column("recall@k", "recall", share),
    Column("p50", "row.p50_us", duration),
    Column("p90", "row.p90_us", duration),
    Column("p99", "row.p99_us", duration),
)
RECALL = Chart(
    name="recall",
    title="Latency against recall",
    short_title="Recall",
    command="pocketrec latency RUN",
    source="latency.json: results[].p50_us, recall_at_k",
    select=_select,
    columns=COLUMNS,
    spec=_spec,
    caption=_caption,
    order=lambda point: (point.p50,),
)
