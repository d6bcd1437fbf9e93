"""Under what conditions times were taken, and whether they can be trusted."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...core.records.latency import Conditions, LatencyRow

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
# Bounds of a quiet machine: median spread of p50 over cases, and load per processor before measuring starts.
QUIET_SPREAD, QUIET_LOAD = 0.15, 0.5


def load_average() -> list[float]:
    """Runnable processes over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def describe_conditions(load_before: list[float], rows: Iterable[LatencyRow]) -> Conditions:
    """The state of the machine while it was measured.

    Args:
        load_before: `load_average()` before the first sample.
        rows: measured rows; the spread of those with several processes shows how noisy it was.
    """
    affinity = sorted(os.sched_getaffinity(0))
    spreads = [row.spread for row in rows if row.n_processes > 1 and row.spread is not None]
    typical = float(np.median(spreads)) if spreads else 0.0
    warnings = []
    if typical > QUIET_SPREAD:
        warnings.append(
            f"medians of one case's processes differ by {typical:.0%} (a quiet machine: under {QUIET_SPREAD:.0%})"
        )
    if load_before[0] > QUIET_LOAD * len(affinity):
        warnings.append(f"{load_before[0]:g} processes were running before the first sample")
    governor = _GOVERNOR.read_text().strip() if _GOVERNOR.is_file() else None
    return Conditions(affinity, load_before, governor, typical, bool(warnings), warnings)
