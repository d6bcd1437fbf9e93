"""Which variants may be bundled: those that passed every gate wherever they must."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...benchmarks.parity.verdicts import where
from ...convert.quantize.recipes import DEFAULT_RECIPE
from ...core.errors import CheckFailed, InputError, pick
from ...runtimes.runtimes import PHONE_RUNTIMES, RUNTIMES
from ...runtimes.targets import TARGETS

Row = Mapping[str, Any]


def required_places(runtimes: Iterable[str] = (), targets: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Pairs of runtime and target that a variant must have passed on; by default what apps ship, on this machine.

    Raises:
        InputError: an unknown name, or a runtime or target that meets none of the others.
    """
    named = [pick("--runtime", name, RUNTIMES) for name in runtimes]
    places = [pick("--target", name, TARGETS) for name in targets] or ["host"]
    able = named or [name for name in RUNTIMES if name in PHONE_RUNTIMES or not RUNTIMES[name].on_host]
    pairs = [(name, place) for name in able for place in places if RUNTIMES[name].runs_on(place)]
    for what, asked, met in (("--runtime", named, {r for r, _ in pairs}), ("--target", places, {p for _, p in pairs})):
        for name in asked:
            if name not in met:
                others = ", ".join(places if what == "--runtime" else able)
                raise InputError(what, expected=f"one that meets {others}", given=name, do="choose another")
    return pairs


def why_not(results: Sequence[Row], variant: Row, required: Iterable[tuple[str, str]]) -> str:
    """Why a variant may not be bundled, by parity.json's results; '' where it may."""
    rows = results_of(results, variant)
    bad = [f"{row['status']} on {where(row)}: {row['reason']}" for row in rows if row["status"] in ("fail", "error")]
    passed = {(row["runtime"], row["target"]) for row in rows if row["status"] == "pass"}
    skipped = {(row["runtime"], row["target"]): row["reason"] for row in rows if row["status"] == "skipped"}
    for place in required:
        if place not in passed and not bad:
            reason = f"skipped: {skipped[place]}" if place in skipped else "parity never ran it there"
            bad.append(f"not passed on {place[0]}, {place[1]} ({reason})")
    return "; ".join(bad[:2]) + (f"; and {len(bad) - 2} more" if len(bad) > 2 else "")


def results_of(results: Sequence[Row], variant: Row) -> list[Row]:
    """A variant's rows of parity.json."""
    return [row for row in results if (row["graph"], row["recipe"]) == (variant["graph"], variant["recipe"])]


def choose(
    variants: Sequence[dict[str, Any]],
    results: Sequence[Row],
    graph: str,
    recipe: str | None,
    required: Sequence[tuple[str, str]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A graph's variant for the bundle: of one recipe, or, with None, the smallest that may be bundled.

    Returns:
        The variant, and every smaller one that was refused: graph, recipe, size_bytes, reason.

    Raises:
        CheckFailed: none may be bundled.
    """
    of_graph = [v for v in variants if v["graph"] == graph and recipe in (None, v["recipe"])]
    refused = []
    for variant in sorted(of_graph, key=lambda v: (v["size_bytes"], v["recipe"])):
        reason = why_not(results, variant, required)
        if not reason:
            return variant, refused
        refused.append({**{key: variant[key] for key in ("graph", "recipe", "size_bytes")}, "reason": reason})
    if recipe is None and refused:
        each = "; ".join(f"{row['recipe']}: {row['reason']}" for row in refused)
        raise CheckFailed(f"no variant of {graph} may be bundled ({each})")
    reason = refused[0]["reason"] if refused else "not converted"
    raise CheckFailed(f"{graph} {recipe or DEFAULT_RECIPE} may not be bundled: {reason}")
