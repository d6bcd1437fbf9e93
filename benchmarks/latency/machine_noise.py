"""Under what conditions times were taken, and whether they can be trusted."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...core.records.latency import Conditions, LatencyRow
from ...core.records.phone import PhoneConditions

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
# Bounds of a quiet machine: median spread of p50 over cases, and load per processor before measuring starts.
QUIET_SPREAD, QUIET_LOAD = 0.15, 0.5


def load_average() -> list[float]:
    """Runnable processes over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def describe_conditions(
    load_before: list[float], rows: Sequence[LatencyRow], phones: Sequence[PhoneConditions] = ()
) -> Conditions:
    """The state of the machine, and of phones, while they were measured.

    Args:
        load_before: `load_average()` before the first sample.
        rows: measured rows; the spread of those with several processes shows how noisy their place was.
        phones: how the phones among the targets were.
    """
    affinity = sorted(os.sched_getaffinity(0))
    elsewhere = {conditions.phone.target for conditions in phones}
    typical, warnings = _spread([row for row in rows if row.target not in elsewhere])
    if load_before[0] > QUIET_LOAD * len(affinity):
        warnings.append(f"{load_before[0]:g} processes were running before the first sample")
    governor = _GOVERNOR.read_text().strip() if _GOVERNOR.is_file() else None
    return Conditions(
        affinity, load_before, governor, typical, bool(warnings), warnings, [_with_noise(p, rows) for p in phones]
    )


def _with_noise(conditions: PhoneConditions, rows: Sequence[LatencyRow]) -> PhoneConditions:
    """The conditions of a phone, with what its own rows say of them."""
    _, warnings = _spread([row for row in rows if row.target == conditions.phone.target])
    return replace(conditions, warnings=[*conditions.warnings, *warnings])


def _spread(rows: Sequence[LatencyRow]) -> tuple[float, list[str]]:
    """The typical spread of rows, and what is to be said where that is much."""
    spreads = [row.spread for row in rows if row.n_processes > 1 and row.spread is not None]
    typical = float(np.median(spreads)) if spreads else 0.0
    if typical <= QUIET_SPREAD:
        return typical, []
    return typical, [
        f"medians of one case's processes differ by {typical:.0%} (a quiet machine: under {QUIET_SPREAD:.0%})"
    ]
