"""Whether a variant's answers to the edge cases pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .gates import Gate
from .outputs import Lists, Ratings


def judge_edges(
    names: Sequence[str], answers: Lists | Ratings, gate: Gate | None, span: float
) -> dict[str, dict[str, Any]]:
    """Each edge's largest difference and why it fails ('' where it passes).

    An answer passes where every value lies within the gate's `max_abs_diff` and `max_diff_of_range` of the reference's; where a
    list returns nothing that was seen, and no item worth less than the reference's last by more than twice that.

    Args:
        span: width of the reference's values over held-out users.
    """
    limits = gate.limits if gate else {}
    bounds = [
        limits[name] * unit for name, unit in (("max_abs_diff", 1.0), ("max_diff_of_range", span)) if name in limits
    ]
    allowed = min(bounds, default=0.0)
    found = {}
    for row, name in enumerate(names):
        expected, got, lost, leaked = answers.values(row)
        diff = float(np.max(np.abs(got.astype(np.float64) - expected), initial=0.0))
        reasons = [f"differs by {diff:.4g}, above {allowed:.4g}"] if not diff <= allowed else []
        if lost > 2 * allowed:
            reasons.append(f"returns an item worth {lost:.4g} less than the last it should return")
        if leaked:
            reasons.append(f"returns {leaked} items that were seen")
        found[name] = {"max_abs_diff": diff, "reason": "; ".join(reasons)}
    return found
