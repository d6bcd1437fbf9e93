"""What every table of results shows: one list of columns per kind of row, for the page, for Markdown and for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...core.records.agreement import QUALITY
from ...core.records.latency import LatencyReport, LatencyRow
from ...core.records.parity import ParityRow
from ...core.records.sweep import CostModel
from ...core.records.variants import Trap, Variant
from ...runtimes.runtimes import CURRENT_RUNTIME
from ..latency.case_kinds import name_of
from ..parity.judging.verdicts import where, worst_measure
from .columns import HTML, MARKDOWN, TERMINAL, Column
from .presentation import (
    NONE,
    count,
    counted,
    duration,
    four_digits,
    megabytes,
    milliseconds,
    percent,
    share,
    significant,
    two_digits,
)

_PAGE = frozenset({HTML})
_FILES = frozenset({HTML, MARKDOWN})
_NOT_MARKDOWN = frozenset({HTML, TERMINAL})


def called(row: LatencyRow) -> str:
    """A row's name, and why its rate was not held."""
    return name_of(row) + (f", not held: {row.breaks}" if row.breaks else "")


def executor(row: LatencyRow) -> str:
    """What executed a row, and where that was, unless on this machine."""
    return row.executor


def between(interval: Sequence[float] | None) -> str:
    """An interval of microseconds."""
    return NONE if interval is None else f"{four_digits(interval[0])} to {four_digits(interval[1])} µs"


LATENCY_COLUMNS = (
    Column("subject", "", called, is_number=False),
    Column("runtime", "", executor, is_number=False),
    Column("items", "n_items", count, shown=_PAGE),
    Column("threads", "threads", count, drop=3),
    Column("batch", "batch_size", count, drop=4),
    Column("recall@k", "recall_at_k", share),
    Column("p50", "p50_us", duration),
    Column("95% interval", "ci95_p50_us", between, shown=_PAGE),
    Column("p90", "p90_us", duration, drop=5),
    Column("p99", "p99_us", duration),
    Column("p90, early stopping", "p90_early_stopping_us", duration, shown=_PAGE),
    Column("loop alone", "overhead_us", duration, shown=_PAGE),
    Column("spread", "spread", percent, shown=_PAGE),
    Column("load", "load_ms", milliseconds, shown=_NOT_MARKDOWN, drop=6),
    Column("of it allocation", "allocate_ms", milliseconds, shown=_PAGE),
    Column("first call", "first_call_ms", milliseconds, shown=_NOT_MARKDOWN, drop=7),
    Column("peak memory", "peak_rss_bytes", megabytes, shown=_NOT_MARKDOWN, drop=8),
    Column("calls", "n_samples", count, shown=_PAGE),
    Column("processes", "n_processes", count, shown=_PAGE),
    Column("status", "status", is_number=False, shown=_PAGE, tone="status"),
    Column("reason", "reason", str, is_number=False, shown=_PAGE, wraps=True),
)


@dataclass(frozen=True)
class SweptRow:
    """A row of a sweep, and its median as a share of a full int8 scan of the same catalogue."""

    row: LatencyRow
    of_full_scan: float | None

    @property
    def form(self) -> str:
        return (self.row.form or "") if self.row.is_tflite else f"ScaNN {self.row.form}"


def swept(report: LatencyReport) -> list[SweptRow]:
    """Rows of a sweep; what ran on no phone is compared with one thread of the current phone runtime."""
    rows = report.swept_rows
    full = {_place(row, row.runtime, row.threads): row.p50_us for row in rows if row.form == "full_scan"}
    found = []
    for row in rows:
        whole = full.get(_place(row, row.runtime, row.threads)) or full.get(_place(row, CURRENT_RUNTIME, 1))
        found.append(SweptRow(row, row.p50_us / whole if whole and row.p50_us else None))
    return found


def _place(row: LatencyRow, runtime: str | None, threads: int | None) -> tuple[object, ...]:
    return row.n_items, row.dimension, runtime, threads


CATALOGUE_COLUMNS = (
    Column("form", "form", is_number=False),
    Column("runtime", "row.runtime", is_number=False),
    Column("items", "row.n_items", count),
    Column("d", "row.dimension", count, drop=6),
    Column("threads", "row.threads", count, drop=5),
    Column("recall@k", "row.recall_at_k", share),
    Column("p50", "row.p50_us", duration),
    Column("p90", "row.p90_us", duration, drop=4),
    Column("p99", "row.p99_us", duration, drop=2),
    Column("of full scan", "of_full_scan", two_digits, shown=_NOT_MARKDOWN, drop=1),
    Column("size", "row.size_bytes", megabytes, drop=3),
    Column("peak memory", "row.peak_rss_bytes", megabytes, shown=_NOT_MARKDOWN, drop=7),
)


def yes_no(value: bool) -> str:
    return "yes" if value else "no"


GROWTH_COLUMNS = (
    Column("items", "n_items", count),
    Column("spectrum gap", "spectrum_gap", two_digits, drop=2),
    Column("neighbour gap", "neighbour_gap", two_digits, drop=1),
    Column("length gap", "length_gap", two_digits, drop=3),
    Column("like the trained", "resembles", yes_no),
    Column("int8 rows", "scanned_bytes", megabytes),
    Column("read GB/s", "read_gb_s", significant),
)


def residuals(model: CostModel) -> str:
    """Residuals by size of the catalogue, smallest first."""
    return ", ".join(f"{row.residual:+.0%}" for row in sorted(model.residuals, key=lambda row: row.n_items))


COST_COLUMNS = (
    Column("runtime", "runtime", is_number=False),
    Column("threads", "threads", count),
    Column("fixed", "fixed_us", duration),
    Column("GB/s", "bandwidth_gb_s", significant),
    Column("top k, ns per score", "top_k_ns_per_element", significant),
    Column("residuals by size: full scan, two-stage", "", residuals, is_number=False),
)


def cost_sentence(model: CostModel) -> str:
    """The cost model of full scans on one runtime."""
    bandwidth = model.bandwidth_gb_s
    per_byte = "no measurable cost per byte" if bandwidth is None else f"bytes / {significant(bandwidth)} GB/s"
    per_score = f"{significant(model.top_k_ns_per_element)} ns per score through a heap"
    return (
        f"Cost model of full scans, {model.runtime}, {counted(model.threads, 'thread')}: {duration(model.fixed_us)} + {per_byte} + "
        f"{per_score}; off by at most {percent(model.max_residual)}."
    )


COVERS = {
    "index": "index only (query vector in)",
    "encoder+index": "encoder and index (query in)",
    "served": "served (JSON over loopback HTTP)",
}


def covers(value: str | None) -> str:
    """What of a server's answer a row covers."""
    return COVERS.get(value or "", value or NONE)


SERVER_COLUMNS = (
    Column("covers", "covers", covers, is_number=False),
    Column("subject", "", name_of, is_number=False),
    Column("recall@k", "recall_at_k", share),
    Column("p50", "p50_us", duration),
    Column("p99", "p99_us", duration),
    Column("HTTP alone, p50", "http_only_p50_us", duration),
    Column("p50 with the stated network", "p50_plus_rtt_us", duration),
)


def tables_of(table_bytes: Mapping[str, int]) -> str:
    """Bytes of the constant tables by dtype."""
    return ", ".join(f"{dtype} {n:,}" for dtype, n in table_bytes.items())


def trap_names(traps: Sequence[Trap]) -> str:
    """Each kind of trap once."""
    return ", ".join(dict.fromkeys(trap.trap for trap in traps)) or "none"


def file_and_form(variant: Variant) -> str:
    """The file, and how a retriever searches where it is no plain scan: `x.tflite (partitioned: n_cells 131, cells_read 55)`."""
    if not variant.settings:
        return variant.file
    settings = ", ".join(f"{name} {value:,}" for name, value in variant.settings.items())
    return f"{variant.file} ({variant.form}: {settings})"


def refusals_or_traps(variant: Variant) -> str:
    """Why runtimes refuse the file, or else its traps."""
    return "; ".join(variant.refusals) or trap_names(variant.traps)


VARIANT_COLUMNS = (
    Column("file", "", file_and_form, is_number=False),
    Column("bytes", "size_bytes", count),
    Column("minimum runtime", "min_runtime"),
    Column("tables", "table_bytes", tables_of, is_number=False, shown=_NOT_MARKDOWN, drop=1),
    Column("refusals, traps", "", refusals_or_traps, is_number=False, wraps=True),
)


def of_its_gate(row: ParityRow) -> str:
    """How much of its gate the worst metric used."""
    worst = worst_measure(row)
    return percent(worst[1]) if worst else NONE


def metric_name(name: str | None) -> str:
    """A metric of quality as people write it."""
    return NONE if name is None else QUALITY[name].label if name in QUALITY else name


PARITY_COLUMNS = (
    Column("graph", "graph", is_number=False),
    Column("recipe", "recipe", is_number=False),
    Column("on", "", where, is_number=False),
    Column("status", "status", is_number=False, tone="status"),
    Column("queries", "n_queries", count, shown=_PAGE),
    Column("of its gate", "", of_its_gate),
    Column("max diff", "metrics.max_abs_diff", two_digits),
    Column("top k kept", "metrics.top_k_overlap", four_digits),
    Column("same first item", "metrics.top1_agreement", four_digits, shown=_PAGE),
    Column("quality", "metrics.quality_metric", metric_name, is_number=False),
    Column("SavedModel", "metrics.quality_reference", four_digits),
    Column("variant", "metrics.quality_variant", four_digits),
    Column("reason", "reason", str, is_number=False, shown=_PAGE, wraps=True),
)


def change_mark(status: str) -> str:
    """A change against a baseline, never by colour alone."""
    return {"worse": "✗ worse", "better": "✓ better"}.get(status, status)


CHANGE_COLUMNS = (
    Column("", "status", change_mark, is_number=False, tone="status"),
    Column("of", "kind", is_number=False),
    Column("what", "what", is_number=False),
    Column("before", "before"),
    Column("now", "after"),
    Column("why", "why", str, is_number=False, wraps=True),
)
