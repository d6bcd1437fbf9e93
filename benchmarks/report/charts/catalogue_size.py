"""The chart of latency against the size of grown catalogues, from latency.json."""

import math
from collections.abc import Mapping
from typing import Any

from ...latency.case_kinds import kind_of
from ..presentation import duration, kilobytes, significant
from ..vega import LIMIT, SOFT, Size, Spec, apart, draw, kind_colour, microseconds, present
from .figure import Figure, span

Row = Mapping[str, Any]
_DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [1, 3], [4, 4], [12, 3])


def latency_items(document: Row) -> Figure | None:
    """p50 against the size of grown catalogues, log-log, with what reading the int8 rows alone would take and the fitted model."""
    grown = [row for row in document["results"] if "form" in row and row["p50_us"]]
    if not grown:
        return None
    several = len({row["dimension"] for row in grown}) > 1
    rows = [
        {
            "kind": kind_of(r),
            "n": r["n_items"],
            "p50": r["p50_us"],
            "form": _line_label(r, several),
            "line": f"{_line_label(r, several)} {r['runtime']} {r['threads']} {r['dimension']}",
            "label": _line_label(r, several),
            "said": f"{_line_label(r, several)}, {r['runtime']}, {r['n_items']:,} items: {_measured(r)}",
        }
        for r in grown
    ]
    reading = [
        {
            "n": g["n_items"],
            "p50": g["scanned_bytes"] / g["read_gb_s"] / 1e3,
            "line": "reading",
            "said": f"reading {g['scanned_bytes']:,} bytes of int8 rows at {significant(g['read_gb_s'])} GB/s",
        }
        for g in document.get("growth", [])
        if g["read_gb_s"]
    ]
    fitted = [
        {
            "n": point["n_items"],
            "p50": point["fitted_us"],
            "line": f"{cost['runtime']} {cost['threads']}",
            "kind": kind_of({"subject": "tflite", "runtime": cost["runtime"]}),
            "said": f"cost model, {cost['runtime']}, {point['n_items']:,} items: {duration(point['fitted_us'])}",
        }
        for cost in document.get("cost_model", [])
        for point in cost["residuals"]
        if point["form"] == "full_scan"
    ]

    def spec(size: Size) -> Spec:
        return _items_spec(size, rows, reading, fitted)

    table = [
        [
            _line_label(r, several),
            r["runtime"],
            f"{r['n_items']:,}",
            f"{r['recall_at_k']:.3f}",
            *(duration(r[q]) for q in ("p50_us", "p90_us", "p99_us")),
            kilobytes(r["size_bytes"]),
        ]
        for r in sorted(grown, key=lambda r: (r["n_items"], r["p50_us"]))
    ]
    return Figure(
        "items",
        "Latency against the size of the catalogue",
        _growth_said(grown),
        "latency.json: results[] with form; growth[].scanned_bytes / read_gb_s; cost_model[].residuals[].fitted_us",
        ("form", "runtime", "items", "recall@k", "p50", "p90", "p99", "size"),
        table,
        draw("items", spec),
    )


def _measured(row: Row) -> str:
    return f"{duration(row['p50_us'])} at recall {row['recall_at_k']:.3f}"


def _line_label(row: Row, with_dimension: bool) -> str:
    """What a line is called: ScaNN's approximate configurations change with the size, their line is one."""
    name = row["form"].replace("_", " ")
    if row["subject"] != "tflite":
        weighted = ", weighted" if row["form"].endswith("_weighted") else ""
        name = "ScaNN " + (name if row["is_exact"] else f"as advised{weighted}")
    return name + (f", d {row['dimension']}" if with_dimension else "")


def _items_spec(size: Size, rows: list[Any], reading: list[Any], fitted: list[Any]) -> Spec:
    least, most = min(r["n"] for r in rows), max(r["n"] for r in rows)
    low, high = span([r["p50"] for r in [*rows, *reading]], 1.5)
    height, room = 400 if size.is_wide else 380, (215 if size.is_wide else 0)
    ends = [r for r in rows if r["n"] == max(other["n"] for other in rows if other["line"] == r["line"])]
    logs = apart([math.log(r["p50"]) for r in ends], math.log(high / low) * 13.5 / height)
    labels = [{**r, "at": math.exp(at)} for r, at in zip(ends, logs, strict=True)]
    ticks = [
        n for n in (1000, 3000, 10**4, 30000, 10**5, 300000, 10**6, 3 * 10**6, 10**7) if least * 0.9 <= n <= most * 1.1
    ]
    x = {
        "field": "n",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [least / 1.08, most * 1.08], "nice": False},
        "axis": {"title": "items in the catalogue", "values": ticks, "format": "~s", "grid": False},
    }
    y = {"field": "p50", **microseconds("median of one query", low, high, tight=not size.is_wide)}
    colour = kind_colour(present(rows), size.columns(4))
    forms = list(dict.fromkeys(r["form"] for r in rows))
    dash = {
        "field": "form",
        "type": "nominal",
        "scale": {"domain": forms, "range": [_DASHES[i % len(_DASHES)] for i in range(len(forms))]},
        "legend": {
            "orient": "bottom",
            "columns": size.columns(2),
            "symbolStrokeColor": SOFT,
            "symbolType": "stroke",
            "symbolSize": 300,
            "labelLimit": 220,
        },
    }
    detail = {"field": "line"}
    layers: list[Spec] = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 1.6},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "detail": detail,
                **({} if size.is_wide else {"strokeDash": dash}),
            },
        },
        {
            "data": {"values": rows},
            "mark": {"type": "point", "filled": True, "size": 42},
            "encoding": {"x": x, "y": y, "color": colour, "description": {"field": "said"}},
        },
        {
            "data": {"values": fitted},
            "mark": {"type": "point", "shape": "M-1,-1L1,1M-1,1L1,-1", "size": 28, "filled": False, "strokeWidth": 1.2},
            "encoding": {"x": x, "y": y, "color": colour, "description": {"field": "said"}},
        },
        {
            "data": {"values": reading},
            "mark": {
                "type": "line",
                "stroke": LIMIT,
                "strokeDash": [2, 3],
                "strokeWidth": 1.4,
                "point": {"filled": True, "fill": LIMIT, "size": 14},
            },
            "encoding": {"x": x, "y": y, "description": {"field": "said"}},
        },
    ]
    if size.is_wide:
        layers.append(
            {
                "data": {"values": labels},
                "mark": {"type": "text", "align": "left", "dx": 9, "clip": False},
                "encoding": {"x": x, "y": {**y, "field": "at"}, "text": {"field": "label"}, "color": colour},
            }
        )
        layers += [_reading_label(x, y, reading)] if reading else []
    return {"width": size.width - 60 - room, "height": height, "layer": layers}


def _reading_label(x: Spec, y: Spec, reading: list[Any]) -> Spec:
    first = min(reading, key=lambda r: r["n"])
    return {
        "data": {"values": [{**first, "label": "reading the int8 rows alone"}]},
        "mark": {"type": "text", "align": "left", "dx": 10, "dy": 6, "fill": LIMIT},
        "encoding": {"x": x, "y": y, "text": {"field": "label"}},
    }


def _growth_said(grown: list[Row]) -> str:
    most = max(row["n_items"] for row in grown)
    at_most = [row for row in grown if row["n_items"] == most]
    phones = [row for row in at_most if row["subject"] == "tflite"]
    parts = []
    for words, rows in (("phone", phones), ("server, index only", [r for r in at_most if r["subject"] != "tflite"])):
        if rows:
            best = min(rows, key=lambda r: r["p50_us"])
            parts.append(f"{words}: {_line_label(best, False)} ({best['runtime']}), {_measured(best)}")
    said = f"Over {most:,} items the fastest are, on the {'; on the '.join(parts)}."
    scans = [row for row in phones if row["form"] == "full_scan"]
    if scans:
        scan = min(scans, key=lambda r: r["p50_us"])
        said += f" A full int8 scan on {scan['runtime']} takes {duration(scan['p50_us'])}."
    return f"{said} Crosses: the fitted cost model of full scans; dotted: one thread that only reads the int8 rows."
