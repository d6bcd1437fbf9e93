"""Under what conditions times were taken, and whether they can be trusted."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
# A quiet machine's processes lie this close: median spread of p50 over subjects, and load a processor before measuring starts.
QUIET_SPREAD, QUIET_LOAD = 0.15, 0.5


def load_average() -> list[float]:
    """Runnable processes over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def describe_conditions(load_before: list[float], rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What `latency.json` says of the machine while it was measured.

    Args:
        load_before: `load_average()` before the first sample.
        rows: measured rows; those of several processes tell how far these lie apart.
    """
    affinity = sorted(os.sched_getaffinity(0))
    spreads = [row["spread"] for row in rows if row.get("n_processes", 1) > 1]
    typical = float(np.median(spreads)) if spreads else 0.0
    warnings = []
    if typical > QUIET_SPREAD:
        warnings.append(f"processes of one subject lie {typical:.0%} apart (a quiet machine: under {QUIET_SPREAD:.0%})")
    if load_before[0] > QUIET_LOAD * len(affinity):
        warnings.append(f"{load_before[0]:g} processes were running before the first sample")
    return {
        "affinity": affinity,
        "load_average": load_before,
        "governor": _GOVERNOR.read_text().strip() if _GOVERNOR.is_file() else None,
        "typical_spread": typical,
        "noisy": bool(warnings),
        "warnings": warnings,
    }


def noise(document: dict[str, Any]) -> list[str]:
    """One line for people where the machine was not quiet."""
    warnings = document["conditions"]["warnings"]
    return [f"noisy machine, compare ratios only: {'; '.join(warnings)}"] if warnings else []
