"""A sweep over catalogue sizes as terminal tables."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from ...runtimes.runtimes import CURRENT_RUNTIME
from .terminal import number


def scaling_tables(document: Mapping[str, Any]) -> list[Table]:
    """Retrieval by catalogue size, what was grown, and the cost model."""
    return [_results(document), _growth(document), _costs(document)]


def _results(document: Mapping[str, Any]) -> Table:
    table = Table("form", "runtime", title="Retrieval over grown catalogues, one query at a time, microseconds")
    for heading in ("items", "d", "threads", "recall@k", "p50", "p90", "p99", "of int8 full scan", "MB", "peak MB"):
        table.add_column(heading, justify="right")
    rows = [row for row in document["results"] if "form" in row]
    full = {_key(row): row["p50_us"] for row in rows if row["form"] == "full_scan"}
    for row in rows:
        whole = full.get(_key(row)) or full.get((row["n_items"], row["dimension"], CURRENT_RUNTIME, 1))
        share = row["p50_us"] / whole if whole and row["p50_us"] else None
        table.add_row(
            row["form"] if row["subject"] == "tflite" else f"ScaNN {row['form']}",
            row["runtime"],
            f"{row['n_items']:,}",
            str(row["dimension"]),
            number(row["threads"]),
            f"{row['recall_at_k']:.3f}",
            *(number(row[key]) for key in ("p50_us", "p90_us", "p99_us")),
            number(share, 2),
            number(row["size_bytes"] / 1e6, 3),
            number(row["peak_rss_bytes"] / 1e6, 3),
        )
    return table


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["n_items"], row["dimension"], row["runtime"], row["threads"]


def _growth(document: Mapping[str, Any]) -> Table:
    table = Table("items", title="Grown from the trained catalogue")
    for heading in ("spectrum gap", "neighbour gap", "length gap", "like the trained", "MB of int8 rows", "read GB/s"):
        table.add_column(heading, justify="right")
    for row in document["growth"]:
        gaps = (number(row[key], 2) for key in ("spectrum_gap", "neighbour_gap", "length_gap"))
        like = "yes" if row["resembles"] else "no"
        speed = (number(row["scanned_bytes"] / 1e6, 3), number(row["read_gb_s"], 3))
        table.add_row(f"{row['n_items']:,}", *gaps, like, *speed)
    return table


def _costs(document: Mapping[str, Any]) -> Table:
    table = Table("runtime", title="Full scans: time = fixed + bytes / bandwidth + top k an element * scores in heaps")
    for heading in ("threads", "fixed us", "GB/s", "top k ns", "residuals by size: full scan, two-stage"):
        table.add_column(heading, justify="right")
    for model in document["cost_model"]:
        residuals = ", ".join(
            f"{row['residual']:+.0%}" for row in sorted(model["residuals"], key=lambda r: r["n_items"])
        )
        numbers = (number(model[key], 3) for key in ("fixed_us", "bandwidth_gb_s", "top_k_ns_per_element"))
        table.add_row(model["runtime"], str(model["threads"]), *numbers, residuals)
    return table
