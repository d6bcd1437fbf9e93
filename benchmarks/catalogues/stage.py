"""Retrieval over catalogues of several sizes: on-device forms, native ScaNN and brute force on the same items and queries."""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ...convert.retrieval.catalogue_index import exact_best
from ...core.documents import write_json
from ...core.errors import CheckFailed, InputError
from ...core.files.hashing import sha256_file
from ...core.host import describe_host
from ...core.metrics import recall_with_ties
from ...core.queries.packing import rows_of
from ...core.records.latency import LatencyReport, LatencyRow
from ...core.records.sweep import GrowthRow
from ...core.run_dir import Run
from ...runtimes.launch import Outcome, run_worker
from ...runtimes.runtimes import runtime_packages
from ...runtimes.targets import DEFAULT_TARGETS
from ..latency.beside import earlier_report
from ..latency.cases import BenchmarkCase
from ..latency.machine_noise import load_average
from ..latency.options import DEFAULT_OPTIONS, Checked, LatencyOptions
from ..latency.stage import make_report
from ..latency.timing import measured_row, time_once, unmeasured_row
from .cases import SearchSetup, device_cases, scann_cases
from .cost_model import cost_models
from .sweep import Sweep, prepare_sweep
from .synthetic_catalogue import grow, likeness

log = logging.getLogger(__name__)

# Share of the exact best k that approximate searches are set up to find on representative queries, so that others keep 0.95.
RECALL = 0.965
# The timed calls of a case in one process take about this long, but are never fewer than the second number: a slow kernel at a
# million items would otherwise take an hour.
SECONDS_PER_PROCESS, LEAST_SAMPLES = 0.5, 20
_BANDWIDTH_WORKER = Path(__file__).with_name("bandwidth_worker.py")
_BANDWIDTH_REPEATS = 15
# Scores this close (of the k-th, as a share) are the same in another order of summation.
TIE = 1e-5


def measure_scaling(
    run: Run,
    options: LatencyOptions = DEFAULT_OPTIONS,
    *,
    items: Iterable[int],
    dimension: int | None = None,
    seed: int = 0,
) -> LatencyReport:
    """Measure every form of retrieval on the run's own catalogue and on synthetic ones; write them into reports/latency.json.

    Rows measured there before on the run's own catalogue are kept where they are of the same variants and host; the files made
    for the sweep live in a temporary directory.

    Args:
        options: one thread by default.
        items: sizes of the synthetic catalogues.
        dimension: width of the vectors; less than the run's is a projection onto the leading singular vectors.
        seed: of the synthetic items and the partitions.

    Raises:
        InputError: sizes below the run's catalogue or k, or above what a file can hold; dimension, counts or runtimes out of range.
        CheckFailed: nothing could be measured.
    """
    checked = replace(options, threads=list(options.threads) or [1]).checked()
    _require_host(checked)
    load_before = load_average()
    sweep = prepare_sweep(run, items, dimension, seed)
    rows: list[LatencyRow] = []
    growth: list[GrowthRow] = []
    for n_items in sweep.sizes:
        with _catalogue(sweep, n_items) as setup:
            cases = [*device_cases(setup, checked.runtimes, checked.threads), *scann_cases(setup)]
            found, read_gb_s = _measure(run.reports, setup, cases, checked)
            rows += found
            alike = likeness(setup.items, sweep.own, seed)
            growth.append(
                GrowthRow(
                    n_items=n_items,
                    seed=seed,
                    resembles=alike.resembles,
                    **asdict(alike),
                    scanned_bytes=int(setup.items.size),
                    read_gb_s=read_gb_s,
                )
            )
    return _write(run, rows, growth, load_before)


def _require_host(options: Checked) -> None:
    if [*options.places] != [*DEFAULT_TARGETS]:
        raise InputError(
            "--items",
            expected=f"--target {', '.join(DEFAULT_TARGETS)} with it",
            given=", ".join(options.places),
            do="grow the catalogue on this machine",
            code="OPTION_CONFLICT",
        )


@contextmanager
def _catalogue(sweep: Sweep, n_items: int) -> Iterator[SearchSetup]:
    """One catalogue of the sweep in a scratch folder."""
    is_own = n_items == len(sweep.own)
    log.info(f"{n_items:,} items: {'the run itself' if is_own else 'drawing a synthetic catalogue'}")
    with tempfile.TemporaryDirectory(prefix="pocketrec-scale-") as scratch:
        folder = Path(scratch)
        if is_own:
            np.save(folder / "items.npy", sweep.own)
        items = sweep.own if is_own else grow(sweep.mixture, n_items, folder / "items.npy", sweep.seed)
        yield SearchSetup(folder, items, sweep.queries, sweep.representative, sweep.k, RECALL, sweep.seed)


def _measure(
    folder: Path, setup: SearchSetup, cases: Sequence[BenchmarkCase], options: Checked
) -> tuple[list[LatencyRow], float]:
    """Execute every query once with every case, then time all of them in rounds; rows, and GB/s of plain reading."""
    able = [case for case in cases if not case.missing()]
    first = time_once(
        able, {case.label: (len(setup.queries), 1) for case in able}, f"{setup.n_items:,} items, first results"
    )
    counts = {label: _samples(outcome, options.samples) for label, outcome in first.items() if outcome}
    outcomes: dict[str, list[Outcome]] = {label: [] for label in counts}
    speeds = []
    for round_ in range(options.processes):
        speeds.append(_read_gb_s(setup.items.size))
        alive = [
            case.on_first(counts[case.label][0]) for case in able if case.label in counts and all(outcomes[case.label])
        ]
        title = f"{setup.n_items:,} items, round {round_ + 1} of {options.processes}"
        for label, outcome in time_once(alive, counts, title).items():
            outcomes[label].append(outcome)
    exact = exact_best(setup.items, setup.queries, setup.k)
    rows = [_row(folder, setup, case, first.get(case.label), outcomes.get(case.label, ()), exact) for case in cases]
    if all(row.reason for row in rows):
        raise CheckFailed(f"no case could be measured: {rows[0].reason}", code="WORKER_FAILED")
    return rows, float(np.median(speeds))


def _row(
    folder: Path,
    setup: SearchSetup,
    case: BenchmarkCase,
    first: Outcome | None,
    timed: Sequence[Outcome],
    exact: np.ndarray,
) -> LatencyRow:
    if first is None:
        return unmeasured_row(case, "skipped", case.missing())
    failed = next((outcome.reason for outcome in (first, *timed) if not outcome), "")
    if failed:
        return unmeasured_row(case, "error", failed)
    recall = recall_with_ties(rows_of(first.arrays, "ids"), exact, setup.items, setup.queries, tie=TIE)
    return measured_row(case, timed, recall, folder)


def _samples(first: Outcome, most: int) -> tuple[int, int]:
    """Timed calls and warm-up calls of one process, by how long a call took at first."""
    call_s = float(np.median(first.arrays["samples_ns"])) / 1e9
    count = int(np.clip(SECONDS_PER_PROCESS / call_s, min(LEAST_SAMPLES, most), most))
    return count, max(1, count // 10)


def _read_gb_s(n_bytes: int) -> float:
    """GB/s at which one thread of a fresh process reads a buffer as large as the int8 rows: the median of its reads."""
    spec = {"bytes": n_bytes, "repeats": _BANDWIDTH_REPEATS}
    outcome = run_worker([str(_BANDWIDTH_WORKER)], spec, {}, timeout_s=120)
    if not outcome:
        raise CheckFailed(f"reading speed could not be measured: {outcome.reason}", code="WORKER_FAILED")
    return outcome.meta["bytes"] / float(np.median(outcome.arrays["samples_ns"]))


def _write(run: Run, rows: list[LatencyRow], growth: list[GrowthRow], load_before: list[float]) -> LatencyReport:
    variants = run.converted / "variants.json"
    known = earlier_report(run.reports / "latency.json", sha256_file(variants))
    report = make_report(
        rows,
        variants,
        load_before,
        phones=known.conditions.phones if known else (),
        kept=own_rows(known, describe_host(runtime_packages())),
        growth=growth,
        cost_model=cost_models(rows, {row.n_items: row.read_gb_s for row in growth}),
    )
    write_json(run.reports / "latency.json", report.to_json())
    return report


def own_rows(known: LatencyReport | None, host: Mapping[str, object]) -> list[LatencyRow]:
    """Rows of the run's own catalogue in an earlier report: of this machine, where it is the same, and of phones."""
    rows = known.own_rows if known else []
    return [row for row in rows if known and (known.host == host or row.target not in DEFAULT_TARGETS)]
