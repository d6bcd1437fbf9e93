"""Medians of two runs compared: as they are on equal hosts, as multiples of a reference case on different ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...core.records.latency import LatencyReport, LatencyRow
from ...core.records.phone import PhoneFacts
from ..latency.case_kinds import is_on_phone, name_of
from .changes import Change, Warn, matched
from .presentation import duration, percent, significant

REFERENCE = "server/bruteforce/savedmodel"
# Two runs of the same code on one machine differ by up to this share though the processes within each agree; see decision 41.
LEAST_CHANGE = 0.10
_HOST_FIELDS = ("machine", "cpu", "cpu_flags", "cpus", "python")


def latency_changes(now: LatencyReport, before: LatencyReport, names: tuple[str, str], warn: Warn) -> Iterator[Change]:
    """Compare every case that both have; nothing where hosts differ and one lacks the reference case.

    Args:
        names: of the newer and the older run, for warnings.
        warn: takes what a reader has to know beside the rows.
    """
    for report, name in zip((now, before), names, strict=True):
        if report.conditions.warnings:
            warn(f"{name} was measured on a noisy machine: {'; '.join(report.conditions.warnings)}")
    differing = host_differences(now.host, before.host)
    units = (_Unit.of(now), _Unit.of(before)) if differing else (_Unit(), _Unit())
    if units[0] is None or units[1] is None:
        warn(f"hosts differ ({differing}) and {REFERENCE} is missing on one: latency is not compared")
        return
    if differing:
        warn(f"hosts differ ({differing}): latency is compared as multiples of {REFERENCE}'s own p50 only")
    phones, known = _phones(now), _phones(before)
    if other := [target for target in phones.keys() & known.keys() if phones[target] != known[target]]:
        warn(f"phones differ ({', '.join(sorted(other))}): latency on them is not compared")
    for row, was, place in matched(now.rows, before.rows, lambda row: row.key):
        if is_on_phone(row):
            new, old = _Median.of(row, _Unit()), _Median.of(was, _Unit())
            if new and old and phones.get(row.target) == known.get(row.target):
                yield _change(row, place, new, old, is_ratio=False)
            continue
        if row.offered_per_s or (differing and row.subject == REFERENCE):
            continue  # requests that queue are not independent: their interval means nothing
        new, old = _Median.of(row, units[0]), _Median.of(was, units[1])
        if new and old:
            yield _change(row, place, new, old, is_ratio=bool(differing))


def _phones(report: LatencyReport) -> dict[str, PhoneFacts]:
    """What the phones were, by target."""
    return {conditions.phone.target: conditions.phone for conditions in report.conditions.phones}


def host_differences(now: Mapping[str, object], before: Mapping[str, object]) -> str:
    """Fields of `host` that bear on times and differ, for people; '' on the same host. The kit's own version does not count."""
    pairs = [(key, before.get(key), now.get(key)) for key in _HOST_FIELDS]
    found = [f"{key} {old!r} before, {new!r} now" for key, old, new in pairs if old != new]
    new_versions, old_versions = (_versions(host) for host in (now, before))
    for name in sorted({*new_versions, *old_versions} - {"pocketrec"}):
        old, new = old_versions.get(name), new_versions.get(name)
        if old != new:
            found.append(f"{name} {old} before, {new} now")
    return "; ".join(found)


def _versions(host: Mapping[str, object]) -> dict[str, str]:
    versions = host.get("versions")
    return {str(name): str(version) for name, version in versions.items()} if isinstance(versions, Mapping) else {}


@dataclass(frozen=True)
class _Unit:
    """What medians are expressed in: a median with its interval, or one microsecond."""

    p50: float = 1.0
    low: float = 1.0
    high: float = 1.0

    @classmethod
    def of(cls, report: LatencyReport) -> "_Unit | None":
        """The reference case's median; None where it was not measured."""
        for row in report.rows:
            if row.subject == REFERENCE and row.p50_us and row.ci95_p50_us:
                return cls(row.p50_us, *row.ci95_p50_us)
        return None


@dataclass(frozen=True)
class _Median:
    """A median with its interval and the spread of its processes, in units of another median, whose interval widens this one."""

    p50: float
    low: float
    high: float
    spread: float

    @classmethod
    def of(cls, row: LatencyRow, unit: _Unit) -> "_Median | None":
        """None where there is only one process, so that the spread is not known."""
        medians: Sequence[float] = row.p50_us_by_process
        if not row.p50_us or not row.ci95_p50_us or len(medians) < 2:
            return None
        low, high = row.ci95_p50_us
        return cls(row.p50_us / unit.p50, low / unit.high, high / unit.low, (max(medians) - min(medians)) / unit.p50)


def _change(row: LatencyRow, place: int, new: _Median, old: _Median, *, is_ratio: bool) -> Change:
    spread = new.spread + old.spread
    enough = max(spread, LEAST_CHANGE * old.p50)
    status = "same"
    if new.low > old.high and new.p50 - old.p50 > enough:
        status = "worse"
    elif new.high < old.low and old.p50 - new.p50 > enough:
        status = "better"
    text: Callable[[float], str] = _multiple if is_ratio else duration
    sign = "+" if new.p50 >= old.p50 else "−"
    return Change(
        kind="latency",
        what=f"{name_of(row)}, {row.executor}" + (f", {row.n_items:,} items" if row.form else ""),
        before=text(old.p50),
        after=text(new.p50),
        status=status,
        why=f"{sign}{percent(abs(new.p50 / old.p50 - 1))}; the processes of both runs differ by {text(spread)}",
        source=f"latency.json results[{place}].p50_us",
    )


def _multiple(value: float) -> str:
    return f"{significant(value)}× the reference"
