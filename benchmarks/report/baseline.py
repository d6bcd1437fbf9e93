"""A run compared with an earlier one: what got slower, larger or worse by more than the measurements' own noise.

Pure functions of the documents of both; nothing is measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...core.records.agreement import Agreement
from ...core.records.latency import LatencyReport
from ...core.records.parity import ParityReport, ParityRow
from ...core.records.variants import Variant
from ..parity.judging.verdicts import where
from .changes import Change, Warn, matched
from .latency_changes import latency_changes
from .presentation import four_digits, significant


@dataclass(frozen=True)
class Documents:
    """One run's results: the rows of variants.json, parity.json, and latency.json or None."""

    name: str
    variants: Sequence[Variant]
    parity: ParityReport
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


def _cell(row: ParityRow) -> tuple[object, ...]:
    return row.graph, row.recipe, row.runtime, row.target, row.delegate


def _parity(now: Documents, before: Documents) -> Iterator[Change]:
    """Cells that passed and fail now, or the other way round."""
    for row, was, place in matched(now.parity.rows, before.parity.rows, _cell):
        passes, passed = row.status == "pass", was.status == "pass"
        if "skipped" in (row.status, was.status):
            continue
        status = "same" if passes == passed else ("better" if passes else "worse")
        what = f"{row.graph} {row.recipe} on {where(row)}"
        source = f"parity.json results[{place}].status"
        yield Change("parity", what, was.status, row.status, status, row.reason, source)


@dataclass(frozen=True)
class _Lost:
    """What a variant lost against its own SavedModel.

    Attributes:
        interval: 95%, of the loss.
    """

    metric: str | None
    reference: float | None
    loss: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, metrics: Agreement) -> "_Lost | None":
        """None where nothing was held out to measure it by."""
        if metrics.quality_loss is None or metrics.quality_loss_ci95 is None:
            return None
        return cls(metrics.quality_metric, metrics.quality_reference, metrics.quality_loss, metrics.quality_loss_ci95)


@dataclass(frozen=True)
class _LossPair:
    """A cell's loss in both runs, and its place in the newer one."""

    row: ParityRow
    now: _Lost
    before: _Lost
    place: int

    @property
    def more(self) -> float:
        """How much more is lost now."""
        return self.now.loss - self.before.loss

    def change(self) -> Change:
        """Worse where each loss lies outside the other's interval."""
        now, before = self.now, self.before
        low, high = before.interval
        return Change(
            "quality",
            f"{self.row.graph} {self.row.recipe} on {where(self.row)}",
            f"loss {significant(before.loss)}",
            f"loss {significant(now.loss)}",
            _beyond(now.loss, now.interval, before.loss, before.interval),
            f"{now.metric}, 95% interval before {significant(low)} to {significant(high)}",
            f"parity.json results[{self.place}].metrics.quality_loss",
        )


def _quality(now: Documents, before: Documents, warn: Warn) -> Iterator[Change]:
    """Losses against each run's own SavedModel, one row per variant: of the cell that changed most for the worse."""
    most: dict[tuple[object, ...], _LossPair] = {}
    references: dict[str, tuple[float | None, float | None]] = {}
    for row, was, place in matched(now.parity.rows, before.parity.rows, _cell):
        new, old = _Lost.of(row.metrics), _Lost.of(was.metrics)
        if new is None or old is None:
            continue
        if new.reference != old.reference:
            references[f"{row.graph} {new.metric}"] = (old.reference, new.reference)
        pair, variant = _LossPair(row, new, old, place), (row.graph, row.recipe)
        if pair.more > most.setdefault(variant, pair).more:
            most[variant] = pair
    if references:
        pairs = (f"{name} {four_digits(old)} before, {four_digits(new)} now" for name, (old, new) in references.items())
        warn(f"the SavedModels differ ({'; '.join(pairs)}): quality is each variant's loss against its own")
    yield from (pair.change() for pair in most.values())


def _beyond(new: float, new_interval: Sequence[float], old: float, old_interval: Sequence[float]) -> str:
    """More is worse; within either interval is the same."""
    if new > old_interval[1] and old < new_interval[0]:
        return "worse"
    return "better" if new < old_interval[0] and old > new_interval[1] else "same"


def _variant(row: Variant) -> tuple[object, ...]:
    return row.graph, row.recipe


def _sizes(now: Documents, before: Documents) -> Iterator[Change]:
    for row, was, place in matched(now.variants, before.variants, _variant):
        new, old = row.size_bytes, was.size_bytes
        status = "same" if new == old else ("worse" if new > old else "better")
        why = f"{new - old:+,} bytes" if new != old else ""
        source = f"variants.json variants[{place}].size_bytes"
        yield Change("size", f"{row.graph} {row.recipe}", f"{old:,}", f"{new:,}", status, why, source)


def _latency(now: Documents, before: Documents, warn: Warn) -> Iterator[Change]:
    if now.latency is not None and before.latency is not None:
        yield from latency_changes(now.latency, before.latency, (now.name, before.name), warn)
    elif now.latency is not None or before.latency is not None:
        missing = before.name if before.latency is None else now.name
        warn(f"latency is not compared: {missing} has no reports/latency.json")
