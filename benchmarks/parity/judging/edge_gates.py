"""Whether a variant's answers to the edge cases pass."""

from collections.abc import Sequence

import numpy as np

from ....core.records.parity import EdgeResult
from ..outputs import Answers
from .gates import Gate


def value_bound(gate: Gate | None, span: float, *, values_are_outputs: bool) -> float | None:
    """The largest difference that a gate allows of single values; None where it bounds none.

    Args:
        span: width of the reference's values: over held-out users, or over edge cases where that is wider.
        values_are_outputs: whether the values are in the unit of the outputs, which `max_abs_diff` bounds.
    """
    limits = gate.limits if gate else {}
    bounds = [limits["max_diff_of_range"] * span] if "max_diff_of_range" in limits else []
    bounds += [limits["max_abs_diff"]] if values_are_outputs and "max_abs_diff" in limits else []
    return min(bounds, default=None)


def judge_edges(names: Sequence[str], answers: Answers, allowed: float | None) -> dict[str, EdgeResult]:
    """Each edge case's largest difference, and why it fails ('' where it passes).

    An answer passes where every value lies within `allowed` of the reference's; where a list returns as many items as it should,
    none that was seen, and none that scores less than the reference's last by more than twice `allowed`.

    Args:
        names: the edge cases, in the order of the answers.
        allowed: as `value_bound` gives it; with None, values are not judged.
    """
    found = {}
    for row, name in enumerate(names):
        values = answers.values(row)
        diff = float(np.max(np.abs(values.got.astype(np.float64) - values.expected), initial=0.0))
        reasons = []
        if allowed is not None and not diff <= allowed:
            reasons.append(f"differs by {diff:.4g}, above {allowed:.4g}")
        if values.n_missing:
            reasons.append(f"returns {values.n_missing} items too few")
        if allowed is not None and values.lost > 2 * allowed:
            reasons.append(f"returns an item that scores {values.lost:.4g} less than the last it should return")
        if values.n_leaked:
            reasons.append(f"returns {values.n_leaked} items that were seen")
        found[name] = EdgeResult(diff, "; ".join(reasons))
    return found
