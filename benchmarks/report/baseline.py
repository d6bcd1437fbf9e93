"""Two runs' reports side by side: what got slower, larger or worse beyond what the measurements themselves can tell apart.

Pure functions of the JSON of both; nothing is measured.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..latency.case_kinds import name_of
from ..parity.verdicts import where
from .presentation import duration, percent, significant

Row = Mapping[str, Any]
REFERENCE = "server/bruteforce/savedmodel"
# Two runs of the same code on one machine differ by up to this though processes within each agree; see decision 41.
LEAST_CHANGE = 0.10
_DESCRIPTIVE = (
    "subject",
    "graph",
    "recipe",
    "runtime",
    "target",
    "threads",
    "batch_size",
    "n_items",
    "k",
    "form",
    "dimension",
    "covers",
    "configuration",
    "arrivals",
    "connections",
)


@dataclass(frozen=True)
class Compared:
    """One thing that both runs have: what it is, both values as text, and whether it is `worse`, `better` or `same`, and why."""

    kind: str
    what: str
    before: str
    after: str
    status: str
    why: str
    source: str


@dataclass(frozen=True)
class Documents:
    """One run's results: variants.json, parity.json, and latency.json or None."""

    name: str
    variants: Row
    parity: Row
    latency: Row | None


@dataclass(frozen=True)
class Comparison:
    """Everything compared, and what a reader has to know beside it."""

    baseline: str
    warnings: Sequence[str]
    rows: Sequence[Compared]

    @property
    def worse(self) -> list[Compared]:
        return [row for row in self.rows if row.status == "worse"]

    @property
    def better(self) -> list[Compared]:
        return [row for row in self.rows if row.status == "better"]

    def lines(self) -> list[str]:
        """For a terminal: warnings, one line a regression, and how much was compared."""
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


def _matched(now: Sequence[Row], before: Sequence[Row], key: Callable[[Row], Any]) -> Iterator[tuple[Row, Row, int]]:
    """Rows of both that have the same key, each with its place in the newer document."""
    known = {key(row): row for row in reversed(before)}
    yield from ((row, known[key(row)], place) for place, row in enumerate(now) if key(row) in known)


def _cell(row: Row) -> tuple[Any, ...]:
    return row["graph"], row["recipe"], row["runtime"], row["target"], row.get("delegate") or "xnnpack"


def _parity(now: Documents, before: Documents) -> Iterator[Compared]:
    """Cells that passed and fail now, or the other way round."""
    for row, was, place in _matched(now.parity["results"], before.parity["results"], _cell):
        passes, passed = row["status"] == "pass", was["status"] == "pass"
        if "skipped" in (row["status"], was["status"]):
            continue
        status = "same" if passes == passed else ("better" if passes else "worse")
        what = f"{row['graph']} {row['recipe']} on {where(row)}"
        source = f"parity.json results[{place}].status"
        yield Compared("parity", what, was["status"], row["status"], status, row["reason"], source)


def _quality(now: Documents, before: Documents, warn: Callable[[str], None]) -> Iterator[Compared]:
    """Losses against each run's own SavedModel: worse where each lies outside the other's 95% interval. One row a variant, of the
    cell that changed most for the worse."""
    most: dict[tuple[str, str], tuple[Row, Row, int]] = {}
    references: dict[str, tuple[float, float]] = {}
    for row, was, place in _matched(now.parity["results"], before.parity["results"], _cell):
        new, old = row["metrics"], was["metrics"]
        if not new.get("quality_loss_ci95") or not old.get("quality_loss_ci95"):
            continue
        if new["quality_reference"] != old["quality_reference"]:
            references[f"{row['graph']} {new['quality_metric']}"] = (old["quality_reference"], new["quality_reference"])
        known = most.setdefault((row["graph"], row["recipe"]), (row, was, place))
        if _lost(row, was) > _lost(*known[:2]):
            most[row["graph"], row["recipe"]] = (row, was, place)
    if references:
        said = "; ".join(f"{name} {old:.4f} before, {new:.4f} now" for name, (old, new) in references.items())
        warn(f"the SavedModels differ ({said}): quality is each variant's loss against its own")
    yield from (_quality_of(*found) for found in most.values())


def _lost(row: Row, was: Row) -> float:
    return row["metrics"]["quality_loss"] - was["metrics"]["quality_loss"]


def _quality_of(row: Row, was: Row, place: int) -> Compared:
    new, old = row["metrics"], was["metrics"]
    low, high = old["quality_loss_ci95"]
    return Compared(
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


def _sizes(now: Documents, before: Documents) -> Iterator[Compared]:
    for row, was, place in _matched(
        now.variants["variants"], before.variants["variants"], lambda r: (r["graph"], r["recipe"])
    ):
        new, old = row["size_bytes"], was["size_bytes"]
        status = "same" if new == old else ("worse" if new > old else "better")
        why = f"{new - old:+,} bytes" if new != old else ""
        source = f"variants.json variants[{place}].size_bytes"
        yield Compared("size", f"{row['graph']} {row['recipe']}", f"{old:,}", f"{new:,}", status, why, source)


def _latency(now: Documents, before: Documents, warn: Callable[[str], None]) -> Iterator[Compared]:
    """Medians, as they are on equal hosts and as multiples of the reference subject's on different ones."""
    if now.latency is None or before.latency is None:
        if now.latency is not None or before.latency is not None:
            missing = before.name if before.latency is None else now.name
            warn(f"latency is not compared: {missing} has no reports/latency.json")
        return
    for document in (now, before):
        if seen := document.latency and document.latency.get("conditions", {}).get("warnings"):
            warn(f"{document.name} was measured on a noisy machine: {'; '.join(seen)}")
    units = [(1.0, 1.0, 1.0)] * 2
    differing = host_differences(now.latency["host"], before.latency["host"])
    if differing:
        found = [_reference(document.latency["results"]) for document in (now, before) if document.latency]
        if None in found:
            warn(f"hosts differ ({differing}) and {REFERENCE} is missing on one: latency is not compared")
            return
        units = [unit for unit in found if unit]
        warn(f"hosts differ ({differing}): latency is compared as multiples of {REFERENCE}'s own p50 only")
    for row, was, place in _matched(now.latency["results"], before.latency["results"], _subject):
        if row.get("offered_per_s") or (differing and row["subject"] == REFERENCE):
            continue  # requests that queue are not independent: their interval means nothing
        new, old = _timed(row, units[0]), _timed(was, units[1])
        if new and old:
            yield _judge(row, place, new, old, is_ratio=bool(differing))


def _subject(row: Row) -> tuple[Any, ...]:
    return (*(row.get(key) for key in _DESCRIPTIVE), row.get("delegate") or "xnnpack", row.get("offered_per_s"))


def host_differences(now: Row, before: Row) -> str:
    """Fields of `host` that bear on times and differ, for people; '' on the same host. The kit's own version does not count."""
    found = [
        f"{key} {before.get(key)!r} before, {now.get(key)!r} now"
        for key in ("machine", "cpu", "cpu_flags", "cpus", "python")
        if now.get(key) != before.get(key)
    ]
    new, old = now.get("versions", {}), before.get("versions", {})
    for name in sorted({*new, *old} - {"pocketrec"}):
        if new.get(name) != old.get(name):
            found.append(f"{name} {old.get(name)} before, {new.get(name)} now")
    return "; ".join(found)


def _reference(results: Sequence[Row]) -> tuple[float, float, float] | None:
    row = next((r for r in results if r["subject"] == REFERENCE and r["p50_us"] and r["ci95_p50_us"]), None)
    return (row["p50_us"], *row["ci95_p50_us"]) if row else None


@dataclass(frozen=True)
class _Time:
    p50: float
    low: float
    high: float
    spread: float


def _timed(row: Row, unit: tuple[float, float, float]) -> _Time | None:
    """A median with its interval and how far processes lie apart, in units of another median, whose interval widens this one.
    None where there is one process only, so that nobody knows how far apart two would be."""
    by_process = row.get("p50_us_by_process") or ()
    if not row["p50_us"] or not row["ci95_p50_us"] or len(by_process) < 2:
        return None
    (low, high), (middle, least, most) = row["ci95_p50_us"], unit
    return _Time(row["p50_us"] / middle, low / most, high / least, (max(by_process) - min(by_process)) / middle)


def _judge(row: Row, place: int, new: _Time, old: _Time, *, is_ratio: bool) -> Compared:
    spread = new.spread + old.spread
    enough = max(spread, LEAST_CHANGE * old.p50)
    status = "same"
    if new.low > old.high and new.p50 - old.p50 > enough:
        status = "worse"
    elif new.high < old.low and old.p50 - new.p50 > enough:
        status = "better"
    text: Callable[[float], str] = (lambda v: f"{significant(v)}× the reference") if is_ratio else duration
    change = f"{'+' if new.p50 >= old.p50 else '−'}{percent(abs(new.p50 / old.p50 - 1))}"
    return Compared(
        "latency",
        f"{name_of(row)}, {row['runtime']}" + (f", {row['n_items']:,} items" if row.get("form") else ""),
        text(old.p50),
        text(new.p50),
        status,
        f"{change}; the runs' processes lie {text(spread)} apart",
        f"latency.json results[{place}].p50_us",
    )
