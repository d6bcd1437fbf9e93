"""The chart of latency against recall, from latency.json."""

import math
from collections.abc import Mapping
from typing import Any

from ...latency.case_kinds import kind_of, name_of, usual
from ..presentation import duration, significant
from ..vega import SOFT, Size, Spec, draw, kind_colour, microseconds, present
from .figure import Figure, span

Row = Mapping[str, Any]
_RECALLS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)


def latency_recall(results: list[Row]) -> Figure | None:
    """p50 against recall, every subject that returns a list from the run's own catalogue."""
    rows = [
        {
            "kind": kind_of(r),
            "name": name_of(r),
            "p50": r["p50_us"],
            "recall": r["recall_at_k"],
            "graph": r["graph"] or "server",
            "said": f"{name_of(r)}, {r['runtime']}: {duration(r['p50_us'])} at recall {r['recall_at_k']:.3f}",
            "row": r,
        }
        for r in usual(results)
        if r["recall_at_k"] is not None and r["p50_us"]
    ]
    if not rows:
        return None
    shown = [{key: value for key, value in row.items() if key != "row"} for row in rows]
    labelled = [row for row in shown if row["graph"] == "server"]

    def spec(size: Size) -> Spec:
        low, high = span([row["p50"] for row in shown], 1.4)
        bottom = math.floor(min(row["recall"] for row in shown) * 20 - 0.2) / 20
        graphs = list(dict.fromkeys(row["graph"] for row in shown))
        shapes = ["circle", "diamond", "square", "triangle-up"][: len(graphs)]
        x = {"field": "p50", **microseconds("median of one call", low, high, tight=not size.is_wide)}
        y = {
            "field": "recall",
            "type": "quantitative",
            "axis": {
                "title": "recall@k against the exact list, stretched towards 1",
                "values": [v for v in _RECALLS if v >= bottom],
            },
            "scale": {"type": "pow", "exponent": 8, "domain": [max(bottom, 0), 1.004], "nice": False},
        }
        colour = kind_colour(present(shown), size.columns(3))
        shape = {
            "field": "graph",
            "type": "nominal",
            "scale": {"domain": graphs, "range": shapes},
            "legend": {
                "orient": "bottom",
                "columns": size.columns(4),
                "symbolStrokeColor": SOFT,
                "symbolFillColor": "transparent",
            },
        }
        return {
            "width": size.width - 60,
            "height": 300,
            "data": {"values": shown},
            "encoding": {"x": x, "y": y},
            "layer": [
                {
                    "mark": {"type": "point", "filled": True, "size": 75, "opacity": 0.85, "stroke": None},
                    "encoding": {"color": colour, "shape": shape, "description": {"field": "said"}},
                },
                *(_beside(labelled, math.sqrt(low * high)) if size.is_wide else ()),
            ],
        }

    table = [
        [
            r["name"],
            r["row"]["runtime"],
            f"{r['recall']:.4f}",
            *(duration(r["row"][q]) for q in ("p50_us", "p90_us", "p99_us")),
        ]
        for r in sorted(rows, key=lambda r: r["p50"])
    ]
    return Figure(
        "recall",
        "Latency against recall",
        _fastest_said([r["row"] for r in rows]),
        "latency.json: results[].p50_us, recall_at_k",
        ("subject", "runtime", "recall@k", "p50", "p90", "p99"),
        table,
        draw("recall", spec),
    )


def _beside(labelled: list[dict[str, Any]], middle: float) -> list[Spec]:
    """Labels of the servers' points, neighbours of like recall on different sides, none of them out of the chart.

    Args:
        middle: microseconds in the middle of the axis.
    """
    by_recall: dict[float, list[dict[str, Any]]] = {}
    for row in sorted(labelled, key=lambda r: r["p50"]):
        by_recall.setdefault(round(row["recall"], 2), []).append(row)
    layers = []
    for rows in by_recall.values():
        sides = [("left", 6, -14), ("right", -9, 0), ("left", 9, 0), ("right", 6, -14)]
        if len(rows) <= len(sides):
            sides = [*sides[: len(rows) - 1], sides[-1] if rows[-1]["p50"] > middle else sides[0]]
        for row, (side, dx, dy) in zip(rows, sides, strict=False):
            mark = {"type": "text", "align": side, "dx": dx, "dy": dy}
            layers.append({"data": {"values": [row]}, "mark": mark, "encoding": {"text": {"field": "name"}}})
    return layers


def _fastest_said(rows: list[Row]) -> str:
    phones = [r for r in rows if r["subject"] == "tflite" and r["graph"] == "retriever"] or [
        r for r in rows if r["subject"] == "tflite"
    ]
    servers = [r for r in rows if r["subject"] != "tflite" and r.get("covers") != "index"]
    if not phones:
        return "No variant of this run returns a list."
    best = min(phones, key=lambda r: r["p50_us"])
    time = f"takes {duration(best['p50_us'])} at recall {best['recall_at_k']:.3f}"
    said = f"The fastest phone list, {name_of(best)} on {best['runtime']}, {time}."
    if servers:
        server = min(servers, key=lambda r: r["p50_us"])
        times = significant(server["p50_us"] / best["p50_us"], 2)
        said += (
            f" The fastest server that starts from the same query, {name_of(server)}, takes {duration(server['p50_us'])}"
            f" at {server['recall_at_k']:.3f}: {times} times that, before any network."
        )
    return said
