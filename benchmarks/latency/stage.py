"""The latency stage: every case in several processes, interleaved, raw samples kept."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from ...core.documents import LATENCY_SCHEMA, document_head, write_json
from ...core.errors import CheckFailed
from ...core.files.atomic import require_empty
from ...core.files.hashing import sha256_file
from ...core.metrics import top_k
from ...core.queries.held_out import HeldOut
from ...core.records.latency import LatencyReport, LatencyRow
from ...core.records.phone import PhoneConditions
from ...core.records.sweep import CostModel, GrowthRow
from ...core.records.variants import Variant
from ...core.run_dir import Run, check_unchanged
from ...runtimes.launch import Outcome, connected
from ...runtimes.model_file.reader import TfliteFile, read_tflite
from ...runtimes.npz_inputs import feeds_of_npz
from ...runtimes.probing import zeros_for
from ...runtimes.runtimes import runtime_packages
from ..parity.reference import load_reference
from .beside import beside_other_places, earlier_report
from .cases import BenchmarkCase, file_cases, server_cases, variant_cases
from .latency_queries import latency_queries, recall_of
from .load_testing.load_test import Load, measure_served
from .machine_noise import describe_conditions, load_average
from .options import DEFAULT_OPTIONS, Checked, LatencyOptions
from .timing import measured_row, time_cases, unmeasured_row

log = logging.getLogger(__name__)

Recall: TypeAlias = Callable[[BenchmarkCase, Outcome], float | None]


def measure_run(
    run: Run,
    options: LatencyOptions = DEFAULT_OPTIONS,
    *,
    served: bool = False,
    rtt_ms: float | None = None,
) -> LatencyReport:
    """Measure every variant and, on this machine, the server-side retrievers over the same queries; write reports/latency.json.

    Each of `options.processes` rounds starts every case once, so that a slow minute falls on all of them. A case that cannot
    be measured is a row with a `reason`. What an earlier call measured of the same variants on other targets stays.

    Args:
        served: also load-test `pocketrec serve` over loopback; see load_testing.
        rtt_ms: with `served`: round trip of a network, added in a column of its own.

    Raises:
        InputError: bad counts, an unknown runtime, variants missing or changed, a package for serving missing.
        CheckFailed: nothing could be measured, or the server failed.
    """
    checked = options.checked()
    load = Load(rtt_ms=rtt_ms)
    if served:
        load.check()
    data, variants = HeldOut(run), run.variants
    for variant in variants:
        check_unchanged(run, variant)
    reference, queries = load_reference(run, data), latency_queries(data)
    k = results_per_call(variants, len(data.items))
    cases = variant_cases(run, variants, checked.runtimes, checked.threads, queries, checked.places)
    if checked.on_host:
        cases += server_cases(run, queries, k, reference["query"][queries.rows])
    load_before, exact = load_average(), top_k(reference["scores"][queries.rows], k)

    def recall(case: BenchmarkCase, outcome: Outcome) -> float | None:
        return recall_of(outcome, exact, data.items) if case.fields.k else None

    rows, phones = _rows(cases, checked, recall, run.reports)
    if all(row.reason for row in rows):
        raise CheckFailed(f"no case could be measured: {_reasons(rows)}", code="WORKER_FAILED")
    if served:
        rows += measure_served(run, queries, k, load, exact=exact, folder=run.reports)
    made_from = run.converted / "variants.json"
    known = earlier_report(run.reports / "latency.json", sha256_file(made_from))
    report = beside_other_places(make_report(rows, made_from, load_before, phones=phones), known, checked.places)
    write_json(run.reports / "latency.json", report.to_json())
    return report


def results_per_call(variants: Sequence[Variant], n_items: int) -> int:
    """How many results the retriever of a run returns; up to 100 for a run without one."""
    return next((variant.results_per_call for variant in variants if variant.results_per_call), min(100, n_items))


def measure_file(
    path: Path,
    options: LatencyOptions = DEFAULT_OPTIONS,
    *,
    inputs: Path | None = None,
    out: Path | None = None,
) -> LatencyReport:
    """Measure any .tflite file, on the rows of an .npz or, where none is given, on zeros and empty strings.

    Args:
        inputs: one array per input, keyed by name; axis 0 indexes queries.
        out: directory for latency.json and the raw samples; nothing is written without it.

    Raises:
        InputError: not a .tflite file, inputs that do not fit it, bad counts, `out` not empty.
        CheckFailed: no runtime could execute the file.
    """
    checked = options.checked()
    file = read_tflite(path)
    if out is not None:
        require_empty(out)
    feeds = feeds_of_npz(inputs, file.ports()[0], "--inputs") if inputs else zeros_for(file)
    cases = file_cases(path, feeds, checked.runtimes, checked.threads, checked.places, are_zeros=inputs is None)
    load_before = load_average()
    advice = "" if inputs else _free_dimensions(file)
    found, phones = _rows(cases, checked, lambda case, outcome: None, out)
    rows = [replace(row, reason=row.reason + advice) if row.reason else row for row in found]
    if all(row.reason for row in rows):
        raise CheckFailed(f"{path.name} could not be measured: {_reasons(rows)}", code="WORKER_FAILED")
    report = make_report(rows, path, load_before, phones=phones)
    if out is not None:
        write_json(out / "latency.json", report.to_json())
    return report


def _free_dimensions(file: TfliteFile) -> str:
    """What to do about inputs whose shape the file leaves open; '' where it leaves none."""
    free = [f"{port['name']} {port['shape']}" for port in file.ports()[0] if -1 in port["shape"]]
    return (
        f"; free dimensions ({', '.join(free)}) were taken as 2: pass --inputs FILE.npz with real shapes"
        if free
        else ""
    )


def _reasons(rows: Sequence[LatencyRow]) -> str:
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row.reason, []).append(row.runtime)
    return "; ".join(f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in by_reason.items())


def _rows(
    cases: Sequence[BenchmarkCase], options: Checked, recall: Recall, folder: Path | None
) -> tuple[list[LatencyRow], list[PhoneConditions]]:
    """A row for each case, in order: measured, or with the reason why not; and how the phones among the places were."""
    missing = {case.label: reason for case in cases if (reason := case.missing())}
    able = [case for case in cases if case.label not in missing]
    with connected(options.places) as connections:
        options.check_phones(connections)
        outcomes = time_cases(able, options.processes, options.samples)
        phones = [phone.conditions() for phone in connections]
    rows = []
    for case in cases:
        if case.label in missing:
            rows.append(unmeasured_row(case, "skipped", missing[case.label]))
            continue
        found = outcomes[case.label]
        failed = next((outcome.reason for outcome in found if not outcome), "")
        made = (
            measured_row(case, found, recall(case, found[0]), folder)
            if not failed
            else unmeasured_row(case, "error", failed)
        )
        rows.append(made)
    return rows, phones


def make_report(
    rows: Sequence[LatencyRow],
    made_from: Path,
    load_before: list[float],
    *,
    phones: Sequence[PhoneConditions] = (),
    kept: Sequence[LatencyRow] = (),
    growth: Sequence[GrowthRow] | None = None,
    cost_model: Sequence[CostModel] | None = None,
) -> LatencyReport:
    """The document latency.json.

    Args:
        rows: what was measured; the conditions are theirs.
        made_from: variants.json, or the single file.
        phones: how the phones among the targets were.
        kept: rows of an earlier measurement that stay, before `rows`.
    """
    return LatencyReport(
        **document_head(LATENCY_SCHEMA, sha256_file(made_from), runtime_packages()),
        conditions=describe_conditions(load_before, rows, phones),
        results=[*kept, *rows],
        growth=None if growth is None else list(growth),
        cost_model=None if cost_model is None else list(cost_model),
    )
