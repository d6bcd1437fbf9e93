"""Results as terminal tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ...core.records.agreement import METRICS, QUALITY
from ...core.records.parity import FirstDifference
from ...runtimes.runtimes import runtime_of
from ...runtimes.targets import short_label
from ..latency.cases import is_usual
from ..parity.first_difference import side_by_side

_STYLE = {
    "right": "green",
    "wrong": "bold red",
    "fails": "red",
    "pass": "green",
    "fail": "bold red",
    "error": "bold red",
    "skipped": "yellow",
}


def number(value: float | None, digits: int = 4) -> str:
    """A number for people; an en dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


_MARK = {"pass": "✓", "fail": "✗", "error": "!", "skipped": "–"}
_WORST = ("error", "fail", "skipped", "pass")


def parity_table(document: Mapping[str, Any]) -> Table:
    """Parity results: one row a variant, one column a runtime with a mark for each processor, the worst of the measures beside.

    A mark stands for both with XNNPACK and without: ✓ passed, ✗ missed a gate, ! could not be compared, – skipped.
    """
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    places: dict[str, list[str]] = {}
    for row in document["results"]:
        rows.setdefault((row["graph"], row["recipe"]), []).append(row)
        if row["target"] not in (seen := places.setdefault(row["runtime"], [])):
            seen.append(row["target"])
    table = Table(title="Parity with the SavedModel (✓ passed, ✗ missed a gate, ! could not be compared, – skipped)")
    for heading in ("graph", "recipe"):
        table.add_column(heading, no_wrap=True)
    for runtime, targets in places.items():
        found = runtime_of(runtime)
        table.add_column(f"{found.short_label}\n{found.version}\n{' '.join(map(short_label, targets))}", no_wrap=True)
    columns = {name: metric for name, metric in METRICS.items() if metric.column}
    for metric in columns.values():
        table.add_column(metric.column, justify="right", no_wrap=True)
    table.add_column("of", no_wrap=True)
    previous = next(iter(rows), ("",))[0]
    for (graph, recipe), results in rows.items():
        if graph != previous:
            table.add_section()
        previous = graph
        cells = [_marks(results, runtime, targets) for runtime, targets in places.items()]
        ran = [r["metrics"] for r in results if r["metrics"].get("max_abs_diff") is not None]
        worst = [
            number(metric.worst(m[name] for m in ran if m.get(name) is not None), 2 if metric.better == "lower" else 4)
            for name, metric in columns.items()
        ]
        table.add_row(graph, recipe, *cells, *worst, _quality_before(ran))
    return table


def _marks(results: Sequence[Mapping[str, Any]], runtime: str, targets: Sequence[str]) -> Text:
    """A mark for each processor under its name, the worst of with XNNPACK and without."""
    text = Text()
    for target in targets:
        found = [r["status"] for r in results if (r["runtime"], r["target"]) == (runtime, target)]
        status = next((status for status in _WORST if status in found), None)
        text.append(
            (_MARK[status] if status else " ").center(len(short_label(target))), style=_STYLE.get(status or "", "")
        )
        text.append(" ")
    return text


def _quality(ran: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    if not ran or ran[0]["quality_metric"] is None:
        return "–", "", "–"
    worst = max(ran, key=lambda m: abs(m["quality_delta"]))
    return worst["quality_metric"], f"{worst['quality_variant']:.4f}", f"{worst['quality_reference']:.4f}"


def _quality_before(ran: Sequence[Mapping[str, Any]]) -> str:
    if not ran or ran[0]["quality_metric"] is None:
        return "–"
    return f"{QUALITY[ran[0]['quality_metric']].short} {ran[0]['quality_reference']:.4f}"


def parity_reasons(document: Mapping[str, Any]) -> list[str]:
    """How many cells passed, and one paragraph for every reason why others did not: where, why, and the first user who would see
    something else."""
    results = document["results"]
    lines = [f"{sum(row['status'] == 'pass' for row in results)} of {len(results)} passed: {_extent(results)}"]
    found: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for row in (row for row in results if row["status"] != "pass"):
        graph, recipe = (row["graph"], row["recipe"]) if row["status"] != "skipped" else ("", "")
        found.setdefault((row["status"], graph, recipe, row["reason"]), []).append(row)
    for (status, graph, recipe, reason), rows in found.items():
        where = dict.fromkeys(f"{row['runtime']} ({row['target']}{_without(row)})" for row in rows)
        what = f"{graph} {recipe}".strip() or f"{len(rows)} cells"
        lines.append(f"{status}: {what} on {', '.join(where)}: {reason}")
        if differing := rows[0].get("first_difference"):
            lines += [f"  {line}" for line in side_by_side(FirstDifference.from_json(differing))]
    return lines


def _without(row: Mapping[str, Any]) -> str:
    return ", no XNNPACK" if row.get("delegate") == "none" else ""


def _extent(results: Sequence[Mapping[str, Any]]) -> str:
    variants = {(row["graph"], row["recipe"]) for row in results}
    asked = max((row["n_queries"] for row in results), default=0)
    edges = max((len(row.get("edges") or {}) for row in results), default=0)
    runtimes, targets = {row["runtime"] for row in results}, {row["target"] for row in results}
    count = lambda n, noun: f"{n} {noun}{'' if n == 1 else 's'}"  # noqa: E731
    parts = [count(len(variants), "variant"), count(len(runtimes), "runtime"), count(len(targets), "processor")]
    return ", ".join([*parts, f"{asked} queries" + (f" and {edges} edge cases each" if edges else " each")])


def latency_table(document: Mapping[str, Any]) -> Table:
    """Latency results, one row a subject as it is usually run; times in microseconds, a percentile the sample cannot support as a
    dash."""
    usual = [row for row in document["results"] if is_usual(row)] or document["results"]
    more = len(document["results"]) - len(usual)
    table = Table("what", "runtime", title="Latency, one call at a time, microseconds")
    if more:
        table.caption = f"{more} more rows in latency.json: other threads and numbers of candidates, without XNNPACK"
    for heading in ("threads", "batch", "recall@k", "p50", "p90", "p99", "load ms", "first ms", "peak MB"):
        table.add_column(heading, justify="right")
    for row in usual:
        name = row["subject"] if row["subject"] != "tflite" else f"{row['graph']} {row['recipe'] or ''}".strip()
        if row.get("offered_per_s"):
            name += f" {row['offered_per_s']:g}/s" + (", not held" if row["breaks"] else "")
        table.add_row(
            name,
            row["runtime"],
            number(row["threads"]),
            number(row["batch_size"]),
            "–" if row["recall_at_k"] is None else f"{row['recall_at_k']:.3f}",
            *(number(row[key], 3) for key in ("p50_us", "p90_us", "p99_us", "load_ms", "first_call_ms")),
            number(row["peak_rss_bytes"] / 1e6, 3),
        )
    return table


def variants_table(document: Mapping[str, Any]) -> Table:
    """Converted variants: bytes, tables by dtype, least runtime, traps."""
    table = Table("file", title="Variants")
    for heading in ("bytes", "least runtime"):
        table.add_column(heading, justify="right")
    table.add_column("tables")
    table.add_column("traps")
    for row in document["variants"]:
        tables = ", ".join(f"{dtype} {n:,}" for dtype, n in row["table_bytes"].items())
        traps = ", ".join(trap["trap"] for trap in row["traps"]) or "none"
        refused = "; ".join(row.get("refusals", []))
        name = row["file"] + _form(row)
        table.add_row(name, f"{row['size_bytes']:,}", row["min_runtime"] or "–", tables, refused or traps)
    return table


def _form(row: Mapping[str, Any]) -> str:
    """How a retriever searches, where it is no plain scan: ` (partitioned: n_cells 131, cells_read 55)`."""
    if not row.get("settings"):
        return ""
    return f" ({row['form']}: {', '.join(f'{name} {value:,}' for name, value in row['settings'].items())})"


def comparison_table(document: Mapping[str, Any]) -> Table:
    """Ours next to other converters, one row a file; worst error and quality over the runtimes it runs on."""
    names = list(document["results"][0]["runtimes"])
    table = Table(
        "graph", "made by", title=f"The same graphs by other converters, {document['n_queries']} held-out users"
    )
    for heading in ("bytes", "float32 tables"):
        table.add_column(heading, justify="right")
    for heading in (*names, "worst error", "quality", "was"):
        table.add_column(heading)
    for row in document["results"]:
        cells = [Text(cell["status"], style=_STYLE.get(cell["status"], "")) for cell in row["runtimes"].values()]
        ran = [cell["metrics"] for cell in row["runtimes"].values() if cell["metrics"]]
        worst = max((m["max_abs_diff"] for m in ran), default=None)
        name, after, before = _quality(ran)
        size, floats = (("–" if n is None else f"{n:,}") for n in (row["size_bytes"], row["float_table_bytes"]))
        made_by = " ".join(filter(None, (row["made_by"], row["recipe"])))
        table.add_row(row["graph"], made_by, size, floats, *cells, number(worst, 2), f"{name} {after}", before)
    return table


def comparison_reasons(document: Mapping[str, Any]) -> list[str]:
    """One line for every file that a runtime refuses or answers wrongly, equal reasons on several runtimes once."""
    lines = []
    for row in document["results"]:
        found: dict[str, list[str]] = {}
        for runtime, cell in row["runtimes"].items():
            if cell["status"] != "right":
                found.setdefault(f"{cell['status']}: {cell['reason']}", []).append(runtime)
        made_by = " ".join(filter(None, (row["made_by"], row["recipe"])))
        lines += [f"{row['graph']} by {made_by} on {', '.join(on)} {reason}" for reason, on in found.items()]
    return lines


def inspection_tables(found: Mapping[str, Any]) -> list[Table]:
    """What `inspect` found, as tables of signatures, ops, constant tensors and traps."""
    ports = Table(
        "signature",
        "",
        "name",
        "dtype",
        "shape",
        title=f"{found['file']}: {found['size_bytes']:,} bytes, least runtime {found['min_runtime'] or 'unknown'}",
    )
    for signature in found["signatures"]:
        for kind in ("inputs", "outputs"):
            for port in signature[kind]:
                ports.add_row(signature["key"], kind[:-1], port["name"], port["dtype"], str(port["shape"]))
    asked = found["xnnpack"]
    taken = (
        f"XNNPACK of {asked['runtime']} takes {asked['n_delegated']} of {asked['n_ops']} in {asked['partitions']} parts"
    )
    ops = Table("op", "version", "calls", "taken", title=taken if asked["n_delegated"] is not None else asked["reason"])
    for op in found["ops"]:
        ops.add_row(op["name"], str(op["version"]), str(op["count"]), number(op["delegated"]))
    tables = Table("table", "shape", "dtype", "bytes", "share", "scales")
    for t in found["tables"]:
        tables.add_row(t["name"], str(t["shape"]), t["dtype"], f"{t['bytes']:,}", f"{t['share']:.1%}", str(t["scales"]))
    traps = Table("trap", "where")
    for trap in found["traps"]:
        traps.add_row(trap["trap"], trap["where"])
    return [ports, ops, tables, traps] if found["traps"] else [ports, ops, tables]
