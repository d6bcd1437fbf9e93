"""latency.json in the terminal."""

from ...benchmarks.latency.case_kinds import is_usual, name_of
from ...benchmarks.report.tables import LATENCY_COLUMNS
from ...core.records.latency import LatencyReport
from .tables import Fitted, table


def latency_table(report: LatencyReport) -> Fitted:
    """One row per case as it is usually run; a percentile that the sample cannot support is a dash."""
    measured = [row for row in report.measured if row.is_own_catalogue]
    usual = [row for row in measured if is_usual(row)] or measured
    more = len(measured) - len(usual)
    caption = (
        f"{more} more rows in latency.json: other threads and numbers of candidates, without XNNPACK" if more else ""
    )
    return table(LATENCY_COLUMNS, usual, "Latency of single calls", caption=caption, section="target")


def latency_reasons(report: LatencyReport) -> list[str]:
    """One line per reason why cases have no numbers, and one where the machine was not quiet."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in (row for row in report.rows if row.status != "measured"):
        found.setdefault((row.status, row.reason), []).append(f"{name_of(row)} on {row.executor}")
    lines = []
    for (status, reason), names in found.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(f"{status}: {names[0]}{more}: {reason}")
    warnings = report.conditions.warnings
    lines += [f"noisy machine, compare ratios only: {'; '.join(warnings)}"] if warnings else []
    for conditions in report.conditions.phones:
        phone, said = conditions.phone, "; ".join(conditions.warnings)
        lines.append(f"{phone.target}: {phone.model}, Android {phone.android}{f'; {said}' if said else ''}")
    return lines
