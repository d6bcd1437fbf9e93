"""The latency stage: every subject in several processes, interleaved, raw samples kept."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...core.atomic import require_empty, write_npz
from ...core.documents import LATENCY_SCHEMA, document_head, write_json
from ...core.errors import CheckFailed, InputError
from ...core.hashing import sha256_file
from ...core.metrics import top_k
from ...core.queries.held_out import HeldOut
from ...core.run_dir import Run, check_unchanged, results_a_call
from ...runtimes.launch import Job, Outcome, run_forked, variant_job
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.npz_inputs import feeds_of_npz
from ...runtimes.probing import zeros_for
from ...runtimes.runtimes import RUNTIMES, chosen_runtimes, runtime_packages
from ..parity.reference import load_reference
from .cases import Subject, latency_queries, recall_of, server_subjects, variant_subjects
from .load_test import default_load, measure_served
from .machine_noise import describe_conditions, load_average
from .statistics import summarize

log = logging.getLogger(__name__)

SAMPLES, WARMUP, PROCESSES, THREADS = 1000, 100, 5, (1, 2)


def measure_run(
    run: Run,
    *,
    threads: Iterable[int] = (),
    runtimes: Iterable[str] = (),
    processes: int = PROCESSES,
    samples: int = SAMPLES,
    served: bool = False,
    rtt_ms: float | None = None,
) -> dict[str, Any]:
    """Measure every variant and the server-side retrievers over the same queries; write reports/latency.json.

    Each of `processes` rounds starts every subject once, so that a slow minute falls on all of them. With `served`,
    `pocketrec serve` is asked over loopback too (see served.py; `rtt_ms` is a stated network's round trip).

    Raises:
        InputError: bad counts, unknown runtime, variants missing or changed, a package for serving missing.
        CheckFailed: a subject could not be measured.
    """
    counts, names = check_options(threads, runtimes, processes, samples)
    if served:
        default_load(rtt_ms).check()
    data, variants = HeldOut(run), run.variants_json["variants"]
    for variant in variants:
        check_unchanged(run, variant)
    reference, asked = load_reference(run, data), latency_queries(data)
    k = next((k for k in map(results_a_call, variants) if k), min(100, len(data.items)))
    subjects = variant_subjects(run, variants, names, counts, asked)
    subjects += server_subjects(run, asked, k, reference["query"][asked.rows])
    load_before = load_average()
    outcomes = _interleave(subjects, processes, samples)
    exact = top_k(reference["scores"][asked.rows], k)
    results = [_result(run.reports, subject, outcomes[subject.label], exact, data) for subject in subjects]
    if served:
        results += measure_served(run, asked, k, exact=exact, rtt_ms=rtt_ms, folder=run.reports)
    return _write(run.reports, results, sha256_file(run.converted / "variants.json"), load_before)


def measure_file(
    path: Path,
    *,
    inputs: Path | None = None,
    out: Path | None = None,
    threads: Iterable[int] = (),
    runtimes: Iterable[str] = (),
    processes: int = PROCESSES,
    samples: int = SAMPLES,
) -> dict[str, Any]:
    """Measure any .tflite file, on the rows of an .npz or, where none is given, on zeros and empty strings.

    Raises:
        InputError: not a .tflite file, inputs that do not fit it, bad counts, `out` not empty.
        CheckFailed: the file could not be executed.
    """
    counts, names = check_options(threads, runtimes, processes, samples)
    file = read_tflite(path)
    if out is not None:
        require_empty(out)
    feeds = feeds_of_npz(inputs, file.ports()[0], "--inputs") if inputs else zeros_for(file)
    subjects = [_file_subject(path, feeds, name, count, inputs) for name in names for count in counts]
    load_before = load_average()
    outcomes = _interleave(subjects, processes, samples)
    results = [_result(out, subject, outcomes[subject.label], None, None) for subject in subjects]
    return _write(out, results, sha256_file(path), load_before)


def _file_subject(
    path: Path, feeds: Mapping[str, np.ndarray], runtime: str, threads: int, inputs: Path | None
) -> Subject:
    fields = {
        "subject": "tflite", "graph": path.stem, "recipe": None, "runtime": runtime, "target": "host", "threads": threads,
        "delegate": "xnnpack", "batch_size": None, "n_items": None, "k": None, "is_exact": None, "size_bytes": path.stat().st_size,
        "inputs": "file" if inputs else "zeros",
    }  # fmt: skip

    job = variant_job(path, feeds, runtime=runtime, threads=threads)
    return Subject.of(f"{path.stem}@{runtime}-t{threads}", fields, job)


def check_options(
    threads: Iterable[int], runtimes: Iterable[str], processes: int, samples: int
) -> tuple[list[int], list[str]]:
    """Check what both commands share: thread counts, and the runtimes that are installed."""
    counts = _threads(threads)
    _positive("--processes", processes)
    _positive("--samples", samples)
    return counts, [name for name in chosen_runtimes(runtimes) if not RUNTIMES[name].missing()]


def _threads(threads: Iterable[int]) -> list[int]:
    import os

    most = len(os.sched_getaffinity(0))
    counts = list(dict.fromkeys(threads)) or [count for count in THREADS if count <= most]
    for count in counts:
        if not 1 <= count <= most:
            raise InputError(
                "--threads", expected=f"1 to {most}, the processors of this machine", given=count, do="choose another"
            )
    return counts


def _positive(name: str, value: int) -> None:
    if value < 1:
        raise InputError(name, expected="1 or more", given=value, do="choose another")


def _interleave(subjects: list[Subject], processes: int, samples: int) -> dict[str, list[Outcome]]:
    """Each round starts every subject once, in a fork of a process that has imported its runtime, so that a slow minute falls on
    all of them."""
    outcomes: dict[str, list[Outcome]] = {subject.label: [] for subject in subjects}
    kinds: dict[str, list[tuple[Subject, Job]]] = {}
    for subject in subjects:
        assert subject.job is not None
        kinds.setdefault(f"{subject.fields['runtime']} {Path(subject.job.program).stem}", []).append(
            (subject, subject.job)
        )
    for round_ in range(processes):
        for kind, members in kinds.items():
            log.info(f"round {round_ + 1} of {processes}: {len(members)} subjects on {kind.split()[0]}")
            more = {"mode": "latency", "warmup": WARMUP, "samples": samples}
            done = run_forked([job for _, job in members], more)
            for (subject, _), outcome in zip(members, done, strict=True):
                if not outcome:
                    raise CheckFailed(f"{subject.label} could not be measured: {outcome.reason}")
                outcomes[subject.label].append(outcome)
    return outcomes


def _result(
    folder: Path | None, subject: Subject, outcomes: list[Outcome], exact: np.ndarray | None, data: HeldOut | None
) -> dict[str, Any]:
    recall = (
        recall_of(outcomes[0], exact, data.items)
        if exact is not None and data is not None and subject.fields["k"]
        else None
    )
    return measured_row(folder, subject, outcomes, recall)


def measured_row(
    folder: Path | None, subject: Subject, outcomes: list[Outcome], recall: float | None
) -> dict[str, Any]:
    """A row of latency.json; raw samples go below `folder` where there is one."""
    samples = np.stack([outcome.arrays["samples_ns"] for outcome in outcomes])
    file = None
    if folder is not None:
        file = f"samples/{subject.label}.npz"
        write_npz(folder / file, samples_ns=samples)
    first = lambda key: float(np.median([outcome.meta[key] for outcome in outcomes]))  # noqa: E731
    return {
        **subject.fields,
        "recall_at_k": recall,
        **summarize(samples),
        "overhead_us": _overhead(outcomes),
        "load_ms": (first("load_ns") + first("allocate_ns")) / 1e6,
        "allocate_ms": first("allocate_ns") / 1e6,
        "first_call_ms": first("first_call_ns") / 1e6,
        "rss_before_bytes": int(first("rss_before_bytes")),
        "rss_after_bytes": int(first("rss_after_bytes")),
        "peak_rss_bytes": int(max(outcome.meta["peak_rss_bytes"] for outcome in outcomes)),
        "samples_file": file,
    }


def _overhead(outcomes: list[Outcome]) -> float | None:
    """Median of the timed loop without the model, microseconds; None where a worker has no such loop."""
    found = [outcome.arrays["overhead_ns"] for outcome in outcomes if "overhead_ns" in outcome.arrays]
    return float(np.median(np.concatenate(found))) / 1e3 if found else None


def _write(
    folder: Path | None, results: list[dict[str, Any]], made_from: str, load_before: list[float]
) -> dict[str, Any]:
    document = {
        **document_head(LATENCY_SCHEMA, made_from, runtime_packages()),
        "conditions": describe_conditions(load_before, results),
        "results": results,
    }
    if folder is not None:
        write_json(folder / "latency.json", document)
    return document
