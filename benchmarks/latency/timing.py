"""Timing cases: rounds of forked workers, so that a slow minute falls on all cases, and rows made of their raw samples."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ...core.files.atomic import write_npz
from ...core.records.latency import LatencyRow, LatencyStatus
from ...runtimes.launch import Outcome, run_forked
from .cases import BenchmarkCase
from .statistics import summarize

log = logging.getLogger(__name__)

WARMUP = 100
Counts = Mapping[str, tuple[int, int]]


def time_cases(
    cases: Sequence[BenchmarkCase], processes: int, samples: int, *, warmup: int = WARMUP
) -> dict[str, list[Outcome]]:
    """Time every case in several processes.

    Returns:
        per label one outcome per process. A case that fails is not tried again: its last outcome says why.
    """
    outcomes: dict[str, list[Outcome]] = {case.label: [] for case in cases}
    counts = {case.label: (samples, warmup) for case in cases}
    for round_ in range(processes):
        alive = [case for case in cases if all(outcomes[case.label])]
        for label, outcome in time_once(alive, counts, f"round {round_ + 1} of {processes}").items():
            outcomes[label].append(outcome)
    return outcomes


def time_once(cases: Sequence[BenchmarkCase], counts: Counts, title: str) -> dict[str, Outcome]:
    """Time every case in one process: a fork of one that has imported what the case needs and nothing more, or one on a phone.

    Args:
        counts: timed calls and warm-up calls by label.
        title: what is logged as the current step.
    """
    outcomes: dict[str, Outcome] = {}
    for members in _by_worker(cases).values():
        fields = members[0].fields
        log.info(f"{title}: {len(members)} cases on {fields.runtime}, {fields.target}")
        done = run_forked([case.timed(*counts[case.label]) for case in members], {}, target=fields.target)
        outcomes |= {case.label: outcome for case, outcome in zip(members, done, strict=True)}
    return outcomes


def _by_worker(cases: Sequence[BenchmarkCase]) -> dict[tuple[str, ...], list[BenchmarkCase]]:
    """Cases that may share one process to fork from: the same worker, runtime, target and needs."""
    found: dict[tuple[str, ...], list[BenchmarkCase]] = {}
    for case in cases:
        found.setdefault((case.job.program, case.fields.runtime, case.fields.target, *case.needs), []).append(case)
    return found


def measured_row(
    case: BenchmarkCase, outcomes: Sequence[Outcome], recall: float | None, folder: Path | None
) -> LatencyRow:
    """A row of latency.json.

    Args:
        outcomes: one per process.
        folder: where `samples/` with the raw nanoseconds goes; None keeps none.
    """
    samples = np.stack([outcome.arrays["samples_ns"] for outcome in outcomes])
    file = None if folder is None else f"samples/{case.label}.npz"
    if folder is not None:
        write_npz(folder / f"samples/{case.label}.npz", samples_ns=samples)
    load, allocate, first = (_median(outcomes, key) for key in ("load_ns", "allocate_ns", "first_call_ns"))
    return LatencyRow(
        **asdict(case.fields),
        **asdict(summarize(samples)),
        recall_at_k=recall,
        overhead_us=_overhead_us(outcomes),
        load_ms=(load + allocate) / 1e6,
        allocate_ms=allocate / 1e6,
        first_call_ms=first / 1e6,
        rss_before_bytes=int(_median(outcomes, "rss_before_bytes")),
        rss_after_bytes=int(_median(outcomes, "rss_after_bytes")),
        peak_rss_bytes=int(max(outcome.meta["peak_rss_bytes"] for outcome in outcomes)),
        samples_file=file,
    )


def unmeasured_row(case: BenchmarkCase, status: LatencyStatus, reason: str) -> LatencyRow:
    """The row of a case without numbers, and why."""
    return LatencyRow(**asdict(case.fields), status=status, reason=reason)


def _median(outcomes: Sequence[Outcome], key: str) -> float:
    return float(np.median([outcome.meta[key] for outcome in outcomes]))


def _overhead_us(outcomes: Sequence[Outcome]) -> float | None:
    """Median of the timed loop without the model; None where a worker has no such loop."""
    found = [outcome.arrays["overhead_ns"] for outcome in outcomes if "overhead_ns" in outcome.arrays]
    return float(np.median(np.concatenate(found))) / 1e3 if found else None
