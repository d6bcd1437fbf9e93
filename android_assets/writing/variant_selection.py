"""Which variants may be bundled: those that passed every gate wherever they must."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...benchmarks.parity.judging.verdicts import where
from ...convert.quantize.recipes import DEFAULT_RECIPE
from ...core.errors import CheckFailed, InputError, pick
from ...core.records.parity import ParityRow
from ...core.records.record import Record
from ...core.records.variants import Variant
from ...runtimes.runtimes import PHONE_RUNTIMES, RUNTIMES
from ...runtimes.targets import TARGETS


@dataclass(frozen=True)
class PassedOver(Record):
    """A smaller variant that may not be bundled, and why."""

    graph: str
    recipe: str
    size_bytes: int
    reason: str


def required_places(runtimes: Iterable[str] = (), targets: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Pairs of runtime and target where a variant must have passed; by default the runtimes that apps ship, on this machine.

    Raises:
        InputError: an unknown name, or a runtime or target that goes with none of the others.
    """
    named = [pick("--runtime", name, RUNTIMES) for name in runtimes]
    places = [pick("--target", name, TARGETS) for name in targets] or ["host"]
    able = named or [name for name in RUNTIMES if name in PHONE_RUNTIMES or not RUNTIMES[name].on_host]
    pairs = [(name, place) for name in able for place in places if RUNTIMES[name].runs_on(place)]
    for name in named:
        if name not in {runtime for runtime, _ in pairs}:
            raise _no_pair("--runtime", f"a runtime that runs on {', '.join(places)}", name)
    for place in places:
        if place not in {target for _, target in pairs}:
            raise _no_pair("--target", f"a target that {', '.join(able)} runs on", place)
    return pairs


def _no_pair(what: str, expected: str, given: str) -> InputError:
    return InputError(what, expected=expected, given=given, do="choose another", code="OPTION_CONFLICT")


def why_not(results: Sequence[ParityRow], variant: Variant, required: Iterable[tuple[str, str]]) -> str:
    """Why a variant may not be bundled, by parity.json's results; '' where it may."""
    rows = rows_of(results, variant)
    bad = [f"{row.status} on {where(row)}: {row.reason}" for row in rows if row.status in ("fail", "error")]
    passed = {(row.runtime, row.target) for row in rows if row.status == "pass"}
    skipped = {(row.runtime, row.target): row.reason for row in rows if row.status == "skipped"}
    for place in required:
        if place not in passed and not bad:
            reason = f"skipped: {skipped[place]}" if place in skipped else "parity never ran it there"
            bad.append(f"not passed on {place[0]}, {place[1]} ({reason})")
    return "; ".join(bad[:2]) + (f"; and {len(bad) - 2} more" if len(bad) > 2 else "")


def rows_of(results: Sequence[ParityRow], variant: Variant) -> list[ParityRow]:
    """A variant's rows of parity.json."""
    return [row for row in results if (row.graph, row.recipe) == (variant.graph, variant.recipe)]


def choose(
    variants: Sequence[Variant],
    results: Sequence[ParityRow],
    graph: str,
    recipe: str | None,
    required: Sequence[tuple[str, str]],
) -> tuple[Variant, list[PassedOver]]:
    """A graph's variant for the bundle: of one recipe, or, with None, the smallest that may be bundled.

    Returns:
        The variant, and every smaller one that was refused.

    Raises:
        CheckFailed: none may be bundled.
    """
    of_graph = [v for v in variants if v.graph == graph and recipe in (None, v.recipe)]
    refused = []
    for variant in sorted(of_graph, key=lambda v: (v.size_bytes, v.recipe)):
        reason = why_not(results, variant, required)
        if not reason:
            return variant, refused
        refused.append(PassedOver(variant.graph, variant.recipe, variant.size_bytes, reason))
    if recipe is None and refused:
        each = "; ".join(f"{row.recipe}: {row.reason}" for row in refused)
        raise CheckFailed(f"no variant of {graph} may be bundled ({each})", code="GATE_FAILED")
    reason = refused[0].reason if refused else "not converted"
    raise CheckFailed(f"{graph} {recipe or DEFAULT_RECIPE} may not be bundled: {reason}", code="GATE_FAILED")
