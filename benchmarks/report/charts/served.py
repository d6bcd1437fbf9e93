"""The chart of the rates a server holds, and what its answer consists of, from latency.json."""

from collections.abc import Mapping
from typing import Any

from ...latency.case_kinds import KINDS, name_of, own_catalogue
from ..presentation import duration, significant
from ..vega import INK, LIMIT, Size, Spec, draw, microseconds
from .figure import Figure, span

Row = Mapping[str, Any]


def served_rates(results: list[Row]) -> Figure | None:
    """Offered rate against p50 and p99 of the whole served answer."""
    rates = [row for row in results if row.get("offered_per_s")]
    if not rates:
        return None
    limit = rates[0]["p99_limit_ms"] * 1e3
    points = [
        {
            "rate": row["offered_per_s"],
            "us": row[key],
            "q": q,
            "held": "held" if not row["breaks"] else "not held",
            "said": f"{row['offered_per_s']:g} requests a second, {q}: {duration(row[key])}"
            + (f", not held: {row['breaks']}" if row["breaks"] else ""),
        }
        for row in rates
        for q, key in (("p50", "p50_us"), ("p99", "p99_us"))
        if row[key] is not None
    ]

    def spec(size: Size) -> Spec:
        low, high = span([*(p["us"] for p in points), limit], 1.5)
        x = {
            "field": "rate",
            "type": "quantitative",
            "axis": {
                "title": "requests offered a second",
                "values": [r["offered_per_s"] for r in rates],
                "grid": False,
            },
            "scale": {"domain": [0, max(r["offered_per_s"] for r in rates) * 1.08], "nice": False},
        }
        y = {"field": "us", **microseconds("from intended sending to answer", low, high, tight=not size.is_wide)}
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
        return {
            "width": (size.width - 60) if not size.is_wide else 760,
            "height": 260,
            "data": {"values": points},
            "layer": [
                {
                    "mark": {"type": "line", "strokeWidth": 1.6},
                    "encoding": {"x": x, "y": y, "strokeDash": dash, "color": colour},
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
                    "encoding": {"x": x, "y": y, "shape": shape, "color": colour, "description": {"field": "said"}},
                },
                {
                    "data": {"values": [{"us": limit}]},
                    "mark": {"type": "rule", "stroke": LIMIT, "strokeDash": [2, 3]},
                    "encoding": {"y": y},
                },
                {
                    "data": {"values": [{"us": limit, "text": f"p99 limit {duration(limit)}"}]},
                    "mark": {"type": "text", "align": "left", "x": 4, "dy": -7, "fill": LIMIT},
                    "encoding": {"y": y, "text": {"field": "text"}},
                },
            ],
        }

    table = [
        [
            f"{r['offered_per_s']:g}",
            f"{significant(r['achieved_per_s'])}",
            *(duration(r[q]) for q in ("p50_us", "p90_us", "p99_us")),
            str(r["errors"]),
            "held" if not r["breaks"] else f"not held: {r['breaks']}",
            duration(r.get("send_lag_p99_us")),
        ]
        for r in rates
    ]
    held = [row for row in rates if not row["breaks"]]
    first = next((row for row in rates if row["breaks"]), None)
    said = (
        f"The server holds {held[-1]['offered_per_s']:g} requests a second"
        if held
        else "The server holds no rate it was asked for"
    )
    said += (
        f"; {first['offered_per_s']:g} a second it does not ({first['breaks']}), limit p99 {duration(limit)}."
        if first
        else " and was asked for no more."
    )
    return Figure(
        "served",
        "Served over loopback at rising rates",
        said,
        "latency.json: results[] with offered_per_s",
        ("offered /s", "answered /s", "p50", "p90", "p99", "errors", "held", "client's own p99 lag"),
        table,
        draw("served", spec),
    )


def server_rows(results: list[Row]) -> list[dict[str, Any]]:
    """What a server's answer consists of, by how much of it a row covers: index only, encoder and index, the whole over HTTP."""
    words = {
        "index": "index only (query vector in)",
        "encoder+index": "encoder and index (query in)",
        "served": "served (JSON over loopback HTTP)",
    }
    rows = [row for row in own_catalogue(results) if row["subject"] != "tflite"]
    return [
        {
            "covers": words.get(row.get("covers") or "", row.get("covers") or "–"),
            "name": name_of(row),
            "recall": row["recall_at_k"],
            "p50": duration(row["p50_us"]),
            "p99": duration(row["p99_us"]),
            "rtt": row.get("rtt_ms"),
            "with_rtt": duration(row.get("p50_plus_rtt_us")),
            "http": duration(row.get("http_only_p50_us")),
        }
        for row in sorted(rows, key=lambda r: list(words).index(r["covers"]) if r.get("covers") in words else 9)
    ]
