"""Measurements of the same variants on this machine and on phones, one beside the other in one latency.json."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...core.documents import LATENCY_SCHEMA
from ...core.errors import InputError
from ...core.records.latency import LatencyReport
from ...runtimes.targets import DEFAULT_TARGETS


def earlier_report(path: Path, made_from: str) -> LatencyReport | None:
    """An earlier report of these variants; None where there is none that can be read."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["schema"] != LATENCY_SCHEMA or known["made_from_sha256"] != made_from:
            return None
        return LatencyReport.from_json(known, str(path))
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None


def beside_other_places(report: LatencyReport, known: LatencyReport | None, places: Sequence[str]) -> LatencyReport:
    """A report with what an earlier one holds of other places; this machine's rows stay only where it is the same machine.

    Args:
        report: of `places` only.
        known: the earlier report, if there is one.
        places: the targets that were measured now.
    """
    if known is None:
        return report
    is_same_host = known.host == report.host
    other = [
        row
        for row in known.own_rows
        if row.target not in places and (is_same_host or row.target not in DEFAULT_TARGETS)
    ]
    targets = {row.target for row in other}
    phones = [conditions for conditions in known.conditions.phones if conditions.phone.target in targets]
    # With the rows of this machine the conditions they were measured under stay.
    own = known.conditions if targets & {*DEFAULT_TARGETS} else report.conditions
    return replace(
        report,
        conditions=replace(own, phones=[*phones, *report.conditions.phones]),
        results=sorted([*other, *report.results], key=lambda row: row.target not in DEFAULT_TARGETS),
    )
