"""Size against quality: what each recipe saves, and what it costs on held-out truth next to its gate."""

from collections.abc import Mapping, Sequence
from typing import Any

from ....core.records.agreement import QUALITY
from ...parity.verdicts import where
from ..presentation import kilobytes, significant
from ..vega import BAR, INK, LIMIT, Size, Spec, draw
from .figure import Figure

Row = Mapping[str, Any]


def size_quality(variants: Sequence[Row], results: Sequence[Row]) -> Figure | None:
    """Bytes of each variant beside the quality it loses where it loses most, with the 95% interval and the gate."""
    rows = [found for variant in variants if (found := _worst(variant, results))]
    if not rows:
        return None

    def spec(size: Size) -> Spec:
        graphs = list(dict.fromkeys(row["graph"] for row in rows))
        panels = [_panel(graph, [r for r in rows if r["graph"] == graph], size) for graph in graphs]
        return {"concat": panels, "columns": size.columns(2), "spacing": 34 if size.is_wide else 26}

    table = [
        [
            row["graph"],
            row["recipe"],
            kilobytes(row["bytes"]),
            row["metric"],
            significant(row["reference"], 4),
            significant(row["loss"]),
            f"{significant(row['low'])} to {significant(row['high'])}" if row["low"] is not None else "–",
            significant(row["gate"]),
            row["where"],
        ]
        for row in rows
    ]
    return Figure(
        "quality",
        "Size against quality",
        _said(rows),
        "variants.json: size_bytes; parity.json: results[].metrics.quality_loss, quality_loss_ci95; tolerance.quality_loss",
        ("graph", "recipe", "size", "measure", "SavedModel", "loss", "95% interval", "gate", "where it is worst"),
        table,
        draw("quality", spec),
    )


def _worst(variant: Row, results: Sequence[Row]) -> dict[str, Any] | None:
    """Of the cells of a variant, the one that loses most."""
    ran = [
        row
        for row in results
        if (row["graph"], row["recipe"]) == (variant["graph"], variant["recipe"])
        and row["metrics"].get("quality_loss") is not None
    ]
    if not ran:
        return None
    row = max(ran, key=lambda r: r["metrics"]["quality_loss"])
    metrics = row["metrics"]
    low, high = metrics.get("quality_loss_ci95") or (None, None)
    metric = QUALITY[metrics["quality_metric"]].label
    return {
        "graph": variant["graph"],
        "recipe": variant["recipe"],
        "bytes": variant["size_bytes"],
        "kb": variant["size_bytes"] / 1e3,
        "metric": metric,
        "reference": metrics["quality_reference"],
        "loss": metrics["quality_loss"],
        "low": low,
        "high": high,
        "gate": row["tolerance"].get("quality_loss"),
        "where": where(row),
        "size": kilobytes(variant["size_bytes"]),
        "said": f"{variant['graph']} {variant['recipe']}: loses {significant(metrics['quality_loss'])} {metric}",
    }


def _panel(graph: str, rows: list[Any], size: Size) -> Spec:
    rows = sorted(rows, key=lambda r: r["bytes"])
    y = {"field": "recipe", "type": "nominal", "sort": [r["recipe"] for r in rows]}
    named = {**y, "axis": {"title": None, "minExtent": 82, "domain": False, "ticks": False}}
    plain = {**y, "axis": None}
    bars, losses = (150, 220) if size.is_wide else (82, 140)
    metric = rows[0]["metric"]
    x = {
        "type": "quantitative",
        "axis": {
            "title": f"{metric} lost, of {significant(rows[0]['reference'], 4)}",
            "tickCount": 4 if size.is_wide else 2,
        },
    }
    layers: list[Spec] = [
        {"mark": {"type": "rule", "color": INK}, "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}}},
        {
            "mark": {"type": "point", "filled": True, "color": INK, "size": 45, "opacity": 1},
            "encoding": {"x": {"field": "loss", **x}, "description": {"field": "said"}},
        },
        {
            "mark": {"type": "tick", "color": LIMIT, "thickness": 2, "height": 14, "opacity": 1},
            "encoding": {"x": {"field": "gate", **x}},
        },
    ]
    size_bars = {
        "width": bars,
        "height": {"step": 20},
        "layer": [
            {"mark": {"type": "bar", "height": 11, "color": BAR}, "encoding": {"description": {"field": "said"}}},
            {"mark": {"type": "text", "align": "left", "dx": 3}, "encoding": {"text": {"field": "size"}}},
        ],
        "encoding": {
            "y": named,
            "x": {
                "field": "kb",
                "type": "quantitative",
                "axis": {"title": "kB", "tickCount": 3 if size.is_wide else 2, "grid": False},
                "scale": {"domainMax": max(r["kb"] for r in rows) * 1.45, "nice": False},
            },
        },
    }
    lost = {"width": losses, "height": {"step": 20}, "layer": layers, "encoding": {"y": plain}}
    return {
        "title": graph,
        "data": {"values": rows},
        "hconcat": [size_bars, lost],
        "spacing": 12,
        "resolve": {"scale": {"y": "shared"}},
    }


def _said(rows: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for graph in dict.fromkeys(row["graph"] for row in rows):
        mine = [row for row in rows if row["graph"] == graph]
        least, most = (f(mine, key=lambda r: r["bytes"]) for f in (min, max))
        times = significant(most["bytes"] / least["bytes"], 2)
        parts.append(
            f"{graph} {least['recipe']} is {times} times smaller than {most['recipe']} and loses "
            f"{significant(least['loss'])} {least['metric']}"
        )
    return "; ".join(parts) + ". Dot and line: loss with its 95% interval, below zero a gain; red: the gate."
