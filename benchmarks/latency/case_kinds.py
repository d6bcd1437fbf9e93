"""What kinds of cases latency.json holds: their names, their colours, and what a row is called."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...convert.graphs import GRAPHS
from ...core.records.latency import LatencyRow
from ...runtimes.runtimes import runtime_of
from ...runtimes.targets import TARGETS


@dataclass(frozen=True)
class Kind:
    """A kind of case: its name for people, its colour on light and on dark ground."""

    name: str
    light: str
    dark: str


# Distinguishable with the usual colour vision deficiencies too; each kind has a shape of its own beside.
KINDS = {
    "litert": Kind("phone, LiteRT", "#1f5fbf", "#6fa8ff"),
    "compiled": Kind("LiteRT CompiledModel", "#26303b", "#dfe6ee"),
    "tflite": Kind("phone, tflite-runtime", "#12877d", "#45c9bb"),
    "android": Kind("Android's library, on this machine", "#3f6b2a", "#8fcf6f"),
    "adb": Kind("phone by adb, Android's library", "#9a1750", "#ff9cc8"),
    "web": Kind("web page, LiteRT.js", "#7a5c00", "#e3c04d"),
    "other": Kind("other runtime", "#5f7a0c", "#b4d455"),
    "bruteforce": Kind("server, BruteForce", "#b35309", "#f5a55c"),
    "scann": Kind("server, ScaNN", "#8b36a3", "#d394e6"),
    "native": Kind("server, index only", "#5b6572", "#a3aebb"),
    "served": Kind("served over HTTP", "#a81e56", "#ff86b3"),
}


ON_PHONE = "adb"


def kind_of(row: LatencyRow) -> str:
    """Key of `KINDS`."""
    if row.is_tflite:
        return ON_PHONE if is_on_phone(row) else kind_of_runtime(row.runtime)
    if row.covers == "served":
        return "served"
    parts = row.subject.split("/")
    return "native" if parts[-1] == "native" else ("bruteforce" if "bruteforce" in parts else "scann")


def is_on_phone(row: LatencyRow) -> bool:
    """Whether a phone was measured: its times are compared with no others."""
    return row.target in TARGETS and TARGETS[row.target].is_phone


def kind_of_runtime(name: str) -> str:
    """Key of `KINDS` of what a runtime executes."""
    return runtime_of(name).kind


def name_of(row: LatencyRow) -> str:
    """What a row is called: graph and recipe, or the server's index and its configuration."""
    if row.is_tflite:
        parts = [row.graph, row.form or row.recipe]
    else:
        how = (row.form or row.configuration or "").partition(",")[0]
        parts = [row.subject.removeprefix("server/"), f"({how})" if how else ""]
    if row.offered_per_s:
        parts.append(f"at {row.offered_per_s:g}/s")
    if (row.threads or 1) > 1:
        parts.append(f"{row.threads} threads")
    elif _has_usual_delegate(row) and not is_usual(row):
        parts.append("1 candidate" if row.batch_size == 1 else f"{row.batch_size} candidates")
    if not _has_usual_delegate(row):
        parts.append("no XNNPACK" if row.delegate == "none" else "with XNNPACK")
    return " ".join(filter(None, parts))


def batch_sizes(graph: str | None) -> tuple[int, ...]:
    """Items per call, the usual number first; one call per query for what is in no table."""
    return GRAPHS[graph].batch_sizes if graph in GRAPHS else (1,)


def is_usual(row: LatencyRow) -> bool:
    """Whether a row is one to show first: one thread, the default delegate, the usual number of candidates."""
    usual = batch_sizes(row.graph)[0] if row.is_tflite and row.delegate else row.batch_size
    return row.threads in (None, 1) and _has_usual_delegate(row) and row.batch_size in (usual, None)


def _has_usual_delegate(row: LatencyRow) -> bool:
    """Whether the runtime did by itself what the row says of XNNPACK; servers do."""
    return row.delegate is None or (row.delegate == "xnnpack") == runtime_of(row.runtime or "").attaches_delegate


def own_catalogue(rows: Sequence[LatencyRow]) -> list[LatencyRow]:
    """Rows of the run's own catalogue, one call at a time: no synthetic catalogue, no offered rate."""
    return [row for row in rows if row.is_own_catalogue and not row.offered_per_s]


def usual(rows: Sequence[LatencyRow]) -> list[LatencyRow]:
    """Rows of the run's own catalogue as cases usually run: one thread, the default delegate, the usual number of candidates."""
    rows = own_catalogue(rows)
    return [row for row in rows if is_usual(row)] or rows
