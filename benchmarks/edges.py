"""Queries that real users seldom are and every app meets: each is asked of the SavedModel and of every variant too."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .query_inputs import Query

if TYPE_CHECKING:
    from .answers import Lists, Ratings
    from .gates import Gate
    from .queries import HeldOut

# Candidates that edges are asked about: so many of the catalogue, and one in no vocabulary.
_CANDIDATES = 20
_FEW = 3
_NO_ITEMS, _NO_STARS = np.empty(0, np.int32), np.empty(0, np.float32)


def edge_queries(data: "HeldOut") -> dict[str, Query]:
    """Edge queries by name, made of real users: histories for models that read one, users for those that know them by id."""
    users = np.diff(data.history.offsets)
    known, unknown = data.query(int(np.argmax(users))), len(data.items)
    asked = np.append(np.arange(min(_CANDIDATES, unknown), dtype=np.int32), np.int32(unknown))
    base = replace(known, items=asked, ratings=np.zeros(len(asked), np.float32))
    nobody = replace(base, user=-1, seen=_NO_ITEMS, stars=_NO_STARS, preferences=())
    edges = {
        "nobody known": nobody,
        "one unknown candidate": replace(base, items=asked[-1:], ratings=base.ratings[-1:]),
    }
    if not data.catalogue.window:
        return edges
    everything = np.arange(unknown, dtype=np.int32)
    first = base.seen[:1]
    histories = {
        "one film": first,
        "only unknown films": np.full(_FEW, unknown, np.int32),
        "unknown films between": np.concatenate([[unknown], first, [unknown]]).astype(np.int32),
        "a film repeated": np.repeat(first, _FEW),
        "longer than the window": np.resize(everything[::-1], data.catalogue.window + len(asked)),
        "everything seen": everything,
    }
    stars = float(np.median(data.history.rating)) if len(data.history.rating) else 0.0
    made = {
        name: replace(nobody, seen=seen, stars=np.full(len(seen), stars, np.float32))
        for name, seen in histories.items()
    }
    return edges | made


def judge_edges(
    names: Sequence[str], answers: "Lists | Ratings", gate: "Gate | None", span: float
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
