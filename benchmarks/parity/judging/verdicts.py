"""What may ship, and how close each result of parity.json came to its gate: pure functions of the documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....core.records.agreement import METRICS
from ....core.records.parity import ParityRow
from ....core.records.variants import Variant


def allowance_used(row: ParityRow) -> dict[str, float]:
    """By limit, the share of what the gate allows that the result took: 0 is equal to the SavedModel, 1 the gate itself.

    Metrics that could not be computed, or of which no value is perfect, are left out. Edge cases have no share: their bound is not
    in the JSON.
    """
    used = {}
    for name, bound in row.limits.items():
        value = row.metrics.value(name)
        if name in METRICS and value is not None:
            share = METRICS[name].share(value, bound)
            if share is not None:
                used[name] = share
    return used


def worst_measure(row: ParityRow) -> tuple[str, float] | None:
    """The limit that came closest to its gate, and its share; None where nothing was compared."""
    used = allowance_used(row)
    return max(used.items(), key=lambda item: item[1]) if used else None


@dataclass(frozen=True)
class Refused:
    """A variant that may not ship, and why."""

    recipe: str
    size_bytes: int
    reason: str


@dataclass(frozen=True)
class Choice:
    """What may ship of a graph.

    Attributes:
        best: the smallest variant that passed wherever it ran; None where there is none.
        passed, asked: how many of its cells passed, and how many there are.
        closest: the limit that came closest to its gate, and its share.
        refused: every smaller variant.
    """

    graph: str
    best: Variant | None
    passed: int
    asked: int
    closest: tuple[str, float] | None
    refused: Sequence[Refused]


def choices(variants: Sequence[Variant], results: Sequence[ParityRow]) -> list[Choice]:
    """For each graph of variants.json what may ship, by the rows of parity.json."""
    return [_choice(graph, variants, results) for graph in dict.fromkeys(v.graph for v in variants)]


def _choice(graph: str, variants: Sequence[Variant], results: Sequence[ParityRow]) -> Choice:
    refused: list[Refused] = []
    for variant in sorted((v for v in variants if v.graph == graph), key=lambda v: v.size_bytes):
        rows = [row for row in results if (row.graph, row.recipe) == (graph, variant.recipe)]
        if reason := _refusal(rows):
            refused.append(Refused(variant.recipe, variant.size_bytes, reason))
            continue
        passed = [row for row in rows if row.status == "pass"]
        closest = max((w for w in map(worst_measure, passed) if w), key=lambda w: w[1], default=None)
        return Choice(graph, variant, len(passed), len(rows), closest, refused)
    return Choice(graph, None, 0, 0, None, refused)


def _refusal(rows: Sequence[ParityRow]) -> str:
    """Why a variant may not ship; '' where it may."""
    bad = [row for row in rows if row.status in ("fail", "error")]
    if bad:
        return f"{where(bad[0])}: {bad[0].reason}" + (f" (and {len(bad) - 1} more cells)" if len(bad) > 1 else "")
    return "" if any(row.status == "pass" for row in rows) else "it was compared nowhere"


def where(row: ParityRow) -> str:
    """A cell's place: runtime, processor, and whether XNNPACK was kept out."""
    return f"{row.runtime}, {row.target}" + (", no XNNPACK" if row.delegate == "none" else "")


def verdict(variants: Sequence[Variant], results: Sequence[ParityRow]) -> str:
    """One sentence: for each graph, the smallest variant that passed wherever it ran."""
    parts = [
        f"{choice.graph}: {choice.best.recipe}, {choice.best.size_bytes:,} bytes"
        if choice.best
        else f"{choice.graph}: none may ship"
        for choice in choices(variants, results)
    ]
    return f"Smallest variants that passed every gate. {'; '.join(parts)}."
