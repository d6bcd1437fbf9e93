"""A run compared with an earlier one: what got slower, larger or worse by more than the measurements' own noise.

Pure functions of the documents of both; nothing is measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...core.records.latency import LatencyReport
from ..parity.judging.verdicts import where
from .changes import Change, Warn, matched
from .latency_changes import latency_changes
from .presentation import four_digits, significant

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Documents:
    """One run's results: variants.json, parity.json, and latency.json or None."""

    name: str
    variants: Row
    parity: Row
    latency: LatencyReport | None


@dataclass(frozen=True)
class Comparison:
    """Everything compared, and what a reader has to know beside it."""

    baseline: str
    warnings: Sequence[str]
    rows: Sequence[Change]

    @property
    def worse(self) -> list[Change]:
        return [row for row in self.rows if row.status == "worse"]

    @property
    def better(self) -> list[Change]:
        return [row for row in self.rows if row.status == "better"]

    def lines(self) -> list[str]:
        """For a terminal: warnings, one line per regression, and how much was compared."""
        found = [f"warning: {text}" for text in self.warnings]
        found += [f"worse: {r.kind} of {r.what}: {r.before} before, {r.after} now; {r.why}" for r in self.worse]
        counts = f"{len(self.worse)} worse, {len(self.better)} better, {len(self.rows)} compared"
        return [*found, f"against {self.baseline}: {counts}"]


def compare_runs(now: Documents, before: Documents) -> Comparison:
    """Latency, sizes, quality and parity of `now` against `before`."""
    warnings: list[str] = []
    rows = [
        *_parity(now, before),
        *_quality(now, before, warnings.append),
        *_sizes(now, before),
        *_latency(now, before, warnings.append),
    ]
    return Comparison(before.name, warnings, rows)


def _cell(row: Row) -> tuple[object, ...]:
    return row["graph"], row["recipe"], row["runtime"], row["target"], row.get("delegate") or "xnnpack"


def _parity(now: Documents, before: Documents) -> Iterator[Change]:
    """Cells that passed and fail now, or the other way round."""
    for row, was, place in matched(now.parity["results"], before.parity["results"], _cell):
        passes, passed = row["status"] == "pass", was["status"] == "pass"
        if "skipped" in (row["status"], was["status"]):
            continue
        status = "same" if passes == passed else ("better" if passes else "worse")
        what = f"{row['graph']} {row['recipe']} on {where(row)}"
        source = f"parity.json results[{place}].status"
        yield Change("parity", what, was["status"], row["status"], status, row["reason"], source)


def _quality(now: Documents, before: Documents, warn: Warn) -> Iterator[Change]:
    """Losses against each run's own SavedModel: worse where each lies outside the other's 95% interval. One row per variant, of
    the cell that changed most for the worse."""
    most: dict[tuple[str, str], tuple[Row, Row, int]] = {}
    references: dict[str, tuple[float, float]] = {}
    for row, was, place in matched(now.parity["results"], before.parity["results"], _cell):
        new, old = row["metrics"], was["metrics"]
        if not new.get("quality_loss_ci95") or not old.get("quality_loss_ci95"):
            continue
        if new["quality_reference"] != old["quality_reference"]:
            references[f"{row['graph']} {new['quality_metric']}"] = (old["quality_reference"], new["quality_reference"])
        known = most.setdefault((row["graph"], row["recipe"]), (row, was, place))
        if _lost(row, was) > _lost(*known[:2]):
            most[row["graph"], row["recipe"]] = (row, was, place)
    if references:
        pairs = (f"{name} {four_digits(old)} before, {four_digits(new)} now" for name, (old, new) in references.items())
        warn(f"the SavedModels differ ({'; '.join(pairs)}): quality is each variant's loss against its own")
    yield from (_quality_of(*found) for found in most.values())


def _lost(row: Row, was: Row) -> float:
    return row["metrics"]["quality_loss"] - was["metrics"]["quality_loss"]


def _quality_of(row: Row, was: Row, place: int) -> Change:
    new, old = row["metrics"], was["metrics"]
    low, high = old["quality_loss_ci95"]
    return Change(
        "quality",
        f"{row['graph']} {row['recipe']} on {where(row)}",
        f"loss {significant(old['quality_loss'])}",
        f"loss {significant(new['quality_loss'])}",
        _beyond(new["quality_loss"], new["quality_loss_ci95"], old["quality_loss"], old["quality_loss_ci95"]),
        f"{new['quality_metric']}, 95% interval before {significant(low)} to {significant(high)}",
        f"parity.json results[{place}].metrics.quality_loss",
    )


def _beyond(new: float, new_interval: Sequence[float], old: float, old_interval: Sequence[float]) -> str:
    """More is worse; within either interval is the same."""
    if new > old_interval[1] and old < new_interval[0]:
        return "worse"
    return "better" if new < old_interval[0] and old > new_interval[1] else "same"


def _variant(row: Row) -> tuple[object, ...]:
    return row["graph"], row["recipe"]


def _sizes(now: Documents, before: Documents) -> Iterator[Change]:
    for row, was, place in matched(now.variants["variants"], before.variants["variants"], _variant):
        new, old = row["size_bytes"], was["size_bytes"]
        status = "same" if new == old else ("worse" if new > old else "better")
        why = f"{new - old:+,} bytes" if new != old else ""
        source = f"variants.json variants[{place}].size_bytes"
        yield Change("size", f"{row['graph']} {row['recipe']}", f"{old:,}", f"{new:,}", status, why, source)


def _latency(now: Documents, before: Documents, warn: Warn) -> Iterator[Change]:
    if now.latency is not None and before.latency is not None:
        yield from latency_changes(now.latency, before.latency, (now.name, before.name), warn)
    elif now.latency is not None or before.latency is not None:
        missing = before.name if before.latency is None else now.name
        warn(f"latency is not compared: {missing} has no reports/latency.json")
