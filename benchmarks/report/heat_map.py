"""parity.json as a heat map: rows by graph and recipe, columns by runtime, target and delegate, and what did not pass."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.records.agreement import METRICS
from ...core.records.parity import FirstDifference
from ...runtimes.runtimes import runtime_of
from ...runtimes.targets import short_label
from ..parity.first_difference import side_by_side
from ..parity.verdicts import allowance_used, where, worst_measure
from .presentation import percent, significant

MARKS = {"pass": "✓", "fail": "✗", "error": "!", "skipped": "–"}
Row = Mapping[str, Any]


def matrix(results: Sequence[Row]) -> dict[str, Any]:
    """Columns (with the runtimes as groups over them), and rows with a cell or None for each column."""
    places = list(dict.fromkeys(_place(row) for row in results))
    cells = {(row["graph"], row["recipe"], _place(row)): _cell(index, row) for index, row in enumerate(results)}
    groups: dict[str, int] = {}
    for runtime, _, _ in places:
        groups[runtime] = groups.get(runtime, 0) + 1
    return {
        "groups": [(runtime_of(runtime).label, n) for runtime, n in groups.items()],
        "columns": [
            {"target": target, "delegate": delegate, "short": short_label(target)} for _, target, delegate in places
        ],
        "rows": [
            {"graph": graph, "recipe": recipe, "cells": [cells.get((graph, recipe, place)) for place in places]}
            for graph, recipe in dict.fromkeys((row["graph"], row["recipe"]) for row in results)
        ],
    }


def _place(row: Row) -> tuple[str, str, str]:
    return row["runtime"], row["target"], row.get("delegate") or "xnnpack"


def _cell(index: int, row: Row) -> dict[str, Any]:
    worst = worst_measure(row)
    share = worst[1] if worst else None
    said = f"{percent(share)} of its gate ({worst[0]})" if worst else row["reason"]
    return {
        "source": f"parity.json results[{index}]",
        "status": row["status"],
        "mark": MARKS[row["status"]],
        "heat": round(min(1.0, share) * 100) if share is not None else 0,
        "share": _short_share(row["status"], share),
        "label": f"{row['graph']} {row['recipe']} on {where(row)}: {row['status']}, {said}",
    }


def _short_share(status: str, share: float | None) -> str:
    if share is None or status not in ("pass", "fail"):
        return ""
    return percent(share) if share < 2 else (f"{significant(share, 2)}×" if share < 100 else "≫")


def cell_detail(row: Row) -> dict[str, Any]:
    """What hovering a cell shows: measures as [name, value, bound, share used], edges as [name, difference, reason]."""
    used, bounds = allowance_used(row), row["tolerance"]
    measures = []
    for name, metric in METRICS.items():
        value = row["metrics"].get(name)
        if value is None or not (metric.in_cell or name in bounds):
            continue
        bound = f"{metric.sign} {bounds[name]:g}" if name in bounds else ""
        measures.append([name, significant(value, 4), bound, percent(used[name]) if name in used else ""])
    edges = [
        [name, significant(edge["max_abs_diff"], 3), edge["reason"]] for name, edge in (row.get("edges") or {}).items()
    ]
    return {
        "status": row["status"],
        "measures": measures,
        "edges": edges,
        "reason": row["reason"],
        "why": row["tolerance"]["reason"],
        "n": row["n_queries"],
        "quality": row["metrics"].get("quality_metric") or "",
    }


def not_passed(results: Sequence[Row]) -> list[dict[str, Any]]:
    """Cells that did not pass, equal reasons once: status, what, where, reason, and the first user who would see something else
    as `lists` ({user, rows of rank, reference, variant, is_same}) and as `lines` of text; failures first."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in (row for row in results if row["status"] != "pass"):
        what = f"{row['graph']} {row['recipe']}" if row["status"] != "skipped" else row["graph"]
        found.setdefault((row["status"], what, row["reason"]), []).append(row)
    order = {"fail": 0, "error": 1, "skipped": 2}
    return [
        {
            "status": status,
            "mark": MARKS[status],
            "what": what,
            "n": len(rows),
            "reason": reason,
            "where": list(dict.fromkeys(map(where, rows))),
            "lists": _lists(rows[0].get("first_difference")),
            "lines": side_by_side(FirstDifference.from_json(rows[0]["first_difference"]))
            if rows[0].get("first_difference")
            else [],
        }
        for (status, what, reason), rows in sorted(found.items(), key=lambda item: order[item[0][0]])
    ]


def _lines(differing: Row | None) -> list[str]:
    return side_by_side(FirstDifference.from_json(differing)) if differing else []


def _lists(differing: Row | None) -> dict[str, Any] | None:
    if not differing:
        return None
    pairs = list(zip(differing["reference"], differing["variant"], strict=False))
    who = FirstDifference.from_json(differing).subject
    return {"who": who, "rows": [(left, right, left["title"] == right["title"]) for left, right in pairs]}
