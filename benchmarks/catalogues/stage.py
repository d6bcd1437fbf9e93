"""Retrieval over catalogues that grow: on-device forms, native ScaNN and brute force on the same grown items and queries."""

import json
import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...convert.retrieval.catalogue_index import exact_best
from ...core.documents import LATENCY_SCHEMA, document_head, write_json
from ...core.errors import CheckFailed, InputError
from ...core.hashing import sha256_file
from ...core.metrics import recall_with_ties
from ...core.queries.held_out import HeldOut
from ...core.queries.packing import rows_of
from ...core.run_dir import Run, results_a_call
from ...runtimes.launch import Outcome, run_worker
from ...runtimes.runtimes import runtime_packages
from ..latency.cases import Subject, latency_queries
from ..latency.machine_noise import describe_conditions, load_average
from ..latency.stage import PROCESSES, SAMPLES, check_options, measured_row
from ..parity.reference import load_reference
from .cases import Scaled, device_subjects, scann_subjects
from .cost_model import cost_models
from .synthetic_catalogue import fit_mixture, grow, likeness, projection, resembles

log = logging.getLogger(__name__)

# What retrieval by cells and ScaNN are set up to find on representative queries, so that others keep 0.95 of 100.
RECALL = 0.965
# A subject's timed calls in one process take about so long, but are never fewer than the second number: a slow kernel at a million
# items would otherwise take an hour.
SECONDS_A_PROCESS, LEAST_SAMPLES = 0.5, 20
# A .tflite file addresses its bytes with 31 bits.
_MOST_BYTES = 2**31 - 2**20
_BANDWIDTH_WORKER = Path(__file__).with_name("bandwidth_worker.py")
_BANDWIDTH_REPEATS = 15
# Scores this close (of the k-th, as a share) are the same in another order of summation.
TIE = 1e-5

# The run's own catalogue is the first size of a sweep, unless it is too small for cells to mean anything.
LEAST_OWN = 1_000


def measure_scaling(
    run: Run,
    *,
    items: Iterable[int],
    dimension: int | None = None,
    threads: Iterable[int] = (),
    runtimes: Iterable[str] = (),
    processes: int = PROCESSES,
    samples: int = SAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure every form of retrieval on the run's own catalogue and grown to each size; write them into reports/latency.json.

    Rows measured there before on the run's own catalogue are kept where they are of the same variants and host; files made
    for the sweep live in a temporary directory.

    Args:
        items: sizes to grow the catalogue to.
        dimension: of the vectors; fewer than the run's are a projection onto the leading singular vectors.

    Raises:
        InputError: sizes below the run's catalogue or k, or beyond what a file can hold; dimension, counts or runtimes that do
            not fit.
        CheckFailed: a subject could not be measured.
    """
    counts, names = check_options(list(threads) or [1], runtimes, processes, samples)
    load_before = load_average()
    data, trained = HeldOut(run), np.load(run.trained / "candidates.npy")
    k = next((k for k in map(results_a_call, run.variants_json["variants"]) if k), min(100, len(data.items)))
    width = trained.shape[1] if dimension is None else dimension
    to_space = projection(trained, width)
    sizes = check_sizes(items, len(trained), k, width)
    vectors = load_reference(run, data)["query"]
    asked = latency_queries(data).rows
    others = np.setdiff1d(np.arange(len(vectors)), asked)
    queries = vectors[asked] @ to_space
    representative = vectors[others if len(others) else asked] @ to_space
    own = trained @ to_space
    mixture = fit_mixture(own, seed)
    results, growth = [], []
    for n_items in sizes if len(own) < LEAST_OWN else sorted({len(own), *sizes}):
        with tempfile.TemporaryDirectory(prefix="pocketrec-scale-") as scratch:
            folder = Path(scratch)
            log.info(f"{n_items:,} items: {'the run itself' if n_items == len(own) else 'growing the catalogue'}")
            if n_items == len(own):
                np.save(folder / "items.npy", own)
                grown = own
            else:
                grown = grow(mixture, n_items, folder / "items.npy", seed)
            alike = likeness(grown, own, seed)
            scaled = Scaled(folder, grown, queries, representative, k, RECALL, seed)
            subjects = [*device_subjects(scaled, names, counts), *scann_subjects(scaled)]
            rows, speed = _measure(run.reports, scaled, subjects, processes, samples)
            results += rows
            growth.append({"n_items": n_items, "seed": seed, "resembles": resembles(alike), **alike, **speed})
    return _write(run, results, growth, load_before)


def check_sizes(items: Iterable[int], n_trained: int, k: int, dimension: int) -> list[int]:
    """The sizes, smallest first, each once.

    Raises:
        InputError: too small or too large.
    """
    sizes, most = sorted(set(items)), _MOST_BYTES // (4 * dimension)
    for size in sizes:
        if size < k:
            raise InputError("--items", expected=f"{k} or more, the results of a call", given=size, do="ask for more")
        if size < n_trained:
            raise InputError(
                "--items",
                expected=f"{n_trained:,} or more, the items of the run's own catalogue",
                given=f"{size:,}",
                do="leave --items out to measure that catalogue",
            )
        if size > most:
            raise InputError(
                "--items",
                expected=f"at most {most:,} items of {dimension} float32, what a .tflite file can hold",
                given=f"{size:,}",
                do="choose fewer, or a smaller --dimension",
            )
    return sizes


def _measure(
    folder: Path, scaled: Scaled, subjects: Sequence[Subject], processes: int, samples: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Ask every subject every query once, then time all of them in turn; rows of latency.json, and what memory gives."""
    exact = exact_best(scaled.items, scaled.queries, scaled.k)
    recalls, enough = {}, {}
    for subject in subjects:
        log.info(f"{scaled.n_items:,} items: first answers of {subject.label}")
        outcome = _sure(subject, subject.measure(1, len(scaled.queries)))
        recalls[subject.label] = recall_with_ties(
            rows_of(outcome.arrays, "ids"), exact, scaled.items, scaled.queries, tie=TIE
        )
        a_call_s = float(np.median(outcome.arrays["samples_ns"])) / 1e9
        enough[subject.label] = int(np.clip(SECONDS_A_PROCESS / a_call_s, min(LEAST_SAMPLES, samples), samples))
    outcomes: dict[str, list[Outcome]] = {subject.label: [] for subject in subjects}
    speeds = []
    for round_ in range(processes):
        speeds.append(_bandwidth(scaled.items.size))
        for subject in subjects:
            log.info(f"{scaled.n_items:,} items, round {round_ + 1} of {processes}: {subject.label}")
            count = enough[subject.label]
            outcomes[subject.label].append(_sure(subject, subject.measure(max(1, count // 10), count)))
    rows = [measured_row(folder, s, outcomes[s.label], recalls[s.label]) for s in subjects]
    return rows, {"scanned_bytes": int(scaled.items.size), "read_gb_s": float(np.median(speeds))}


def _sure(subject: Subject, outcome: Outcome) -> Outcome:
    if not outcome:
        raise CheckFailed(f"{subject.label} could not be measured: {outcome.reason}")
    return outcome


def _bandwidth(n_bytes: int) -> float:
    """GB/s at which one thread of a fresh process reads a buffer as large as the int8 rows: the median of its reads."""
    spec = {"bytes": n_bytes, "repeats": _BANDWIDTH_REPEATS}
    outcome = run_worker([str(_BANDWIDTH_WORKER)], spec, {}, timeout_s=120)
    if not outcome:
        raise CheckFailed(f"reading speed could not be measured: {outcome.reason}")
    return outcome.meta["bytes"] / float(np.median(outcome.arrays["samples_ns"]))


def _write(
    run: Run, results: list[dict[str, Any]], growth: list[dict[str, Any]], load_before: list[float]
) -> dict[str, Any]:
    made_from = sha256_file(run.converted / "variants.json")
    head = document_head(LATENCY_SCHEMA, made_from, runtime_packages())
    document = {
        **head,
        "conditions": describe_conditions(load_before, results),
        "results": _own_catalogue(run.reports / "latency.json", made_from, head["host"]) + results,
        "growth": growth,
        "cost_model": cost_models(results, {row["n_items"]: row["read_gb_s"] for row in growth}),
    }
    write_json(run.reports / "latency.json", document)
    return document


def _own_catalogue(path: Path, made_from: str, host: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of an earlier report that are no sweep's, of these variants and this host."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if known.get("schema") != LATENCY_SCHEMA or known["made_from_sha256"] != made_from or known["host"] != host:
        return []
    return [row for row in known["results"] if "form" not in row]
