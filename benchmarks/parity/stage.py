"""The parity stage: every variant on every runtime against the stored reference."""

import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ...core.documents import PARITY_SCHEMA, document_head, write_json
from ...core.errors import InputError, pick
from ...core.files.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.queries.packing import taken
from ...core.records.parity import ParityReport, ParityRow
from ...core.records.phone import PhoneFacts
from ...core.records.variants import Variant
from ...core.run_dir import Run, check_unchanged
from ...runtimes.launch import Job, Outcome, connected, run_forked, side_by_side, variant_job
from ...runtimes.native_logs import acceleration
from ...runtimes.runtimes import RUNTIMES, chosen_runtimes, runtime_packages
from ...runtimes.targets import TARGETS
from .judging.gates import Gate, Gates, read_gates
from .judging.graph_comparisons import GraphExpected
from .judging.judge import Cell, judge, outputs_sha256, unavailable
from .reference import Reference, load_reference, reference_sha256, references
from .stored_outputs import UNFINISHED, answered, cell_of, store, stored

log = logging.getLogger(__name__)

# Cells that one process forks for: more would save little, and leave a processor idle at the end.
_MOST_FORKS = 8
Asked: TypeAlias = tuple[Variant, Cell]


def check_parity(
    run: Run,
    *,
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    require: Iterable[str] = (),
    gates: Path | None = None,
    refresh_reference: bool = False,
    resume: bool = False,
    timeout_s: float = 120.0,
) -> ParityReport:
    """Run every variant on every runtime and target, compare with the SavedModels, write reports/parity.json.

    Cells run side by side, as many as there are processors: nothing is timed. Raw outputs stay in reports/raw, so that `rejudge`
    can judge them under other gates without running anything.

    Args:
        run: a run with variants.
        runtimes: keys of `RUNTIMES`; all when empty.
        targets: keys of `TARGETS`; `host` when empty.
        require: targets that must be available; a cell that something is missing for is an error on one of them. What a runtime
            never takes, such as text in a browser, stays skipped.
        gates: TOML file of tolerances in place of the kit's own.
        refresh_reference: ask the SavedModels again instead of reading the stored answers.
        resume: judge the stored outputs of an interrupted run, and of the last report, where they are of the same variants and
            reference; run the other cells only.
        timeout_s: time limit of a cell, in seconds.

    Returns:
        The report: true when no row failed. It does not raise for failed rows.

    Raises:
        InputError: unknown or missing runtime or target, a faulty gates file, variants missing or changed since conversion.
    """
    required = [pick("--require", name, TARGETS) for name in require]
    places = list(dict.fromkeys([*(pick("--target", name, TARGETS) for name in targets), *required])) or ["host"]
    names = chosen_runtimes(runtimes, places, RUNTIMES)
    limits = read_gates(gates)
    variants = run.variants
    for variant in variants:
        check_unchanged(run, variant)
    with connected(places) as phones:
        data = HeldOut(run)
        answers = load_reference(run, data, refresh=refresh_reference)
        judged = JudgedRun(data, limits, answers, [phone.facts for phone in phones])
        return _check_cells(judged, variants, names, places, required, resume=resume, timeout_s=timeout_s)


def _check_cells(
    judged: "JudgedRun",
    variants: Sequence[Variant],
    names: Sequence[str],
    places: Sequence[str],
    required: Sequence[str],
    *,
    resume: bool,
    timeout_s: float,
) -> ParityReport:
    """Run the matrix of runtimes and targets, or what of it is left."""
    cells = [
        (variant, cell) for variant in variants for cell in matrix_cells(variant.graph, variant.recipe, names, places)
    ]
    known = answered(judged.run) if resume else {}
    rows: dict[Cell, ParityRow | None] = {}
    for variant, cell in cells:
        earlier = known.get(cell)
        rows[cell] = judged.unavailable(variant, cell, required) or (_resumed(judged, earlier) if earlier else None)
    ready = batches((variant, cell) for variant, cell in cells if rows[cell] is None)
    if known:
        log.info(f"resumed: {sum(map(len, ready))} of {len(cells)} cells are left to run")
    with side_by_side() as pool:
        for found in pool.map(lambda batch: _run_batch(judged, batch, timeout_s), ready):
            rows |= found
            judged.write([row for row in rows.values() if row is not None], UNFINISHED)
    return judged.write([row for row in rows.values() if row is not None])


def _resumed(judged: "JudgedRun", earlier: ParityRow) -> ParityRow | None:
    """The row of stored outputs; None where they are gone or others, so that the cell runs again."""
    try:
        return judged.again(earlier)
    except InputError:
        return None


def matrix_cells(graph: str, recipe: str, runtimes: Sequence[str], targets: Sequence[str]) -> Iterator[Cell]:
    """A file's row of the matrix; on the host with the delegate and without, where a runtime lets one choose."""
    for runtime in runtimes:
        for target in targets:
            if RUNTIMES[runtime].runs_on(target):
                for delegate in RUNTIMES[runtime].delegates(target):
                    yield Cell(graph, recipe, runtime, target, delegate)


def batches(cells: Iterable[Asked]) -> list[list[Asked]]:
    """Cells in batches, each of one process that imports a runtime once and forks for every cell.

    An emulated processor takes longer to import a runtime than to answer. A browser and an accelerator start anew for each cell.
    On a phone a batch is all cells of a runtime: one push, one pull.
    """
    batches: dict[tuple[str, str, int], list[Asked]] = {}
    met: Counter[tuple[str, str]] = Counter()
    for variant, cell in cells:
        place = (cell.runtime, cell.target)
        batches.setdefault((*place, met[place] // _together(cell)), []).append((variant, cell))
        met[place] += 1
    return list(batches.values())


def _together(cell: Cell) -> int:
    """How many cells of a runtime on a target one batch takes."""
    target = TARGETS[cell.target]
    if target.is_phone:
        return sys.maxsize
    return _MOST_FORKS if RUNTIMES[cell.runtime].forks and not target.accelerator else 1


def _run_batch(judged: "JudgedRun", batch: Sequence[Asked], timeout_s: float) -> dict[Cell, ParityRow]:
    """The rows of cells of one runtime on one target."""
    runtime, target = RUNTIMES[batch[0][1].runtime], batch[0][1].target
    variables, more = runtime.environment(target), {"accelerator": TARGETS[target].accelerator}
    jobs = [judged.job(variant, cell, timeout_s) for variant, cell in batch]
    if len(jobs) > 1:
        outcomes = run_forked(jobs, more, target=target, variables=variables)
    else:
        outcomes = (job.run(target=target, variables=variables, **more) for job in jobs)
    return {cell: _kept(judged, cell, outcome) for (_, cell), outcome in zip(batch, outcomes, strict=True)}


def _kept(judged: "JudgedRun", cell: Cell, outcome: Outcome) -> ParityRow:
    """A cell's row; its raw outputs are written."""
    if outcome:
        store(judged.run, cell, outcome.arrays)
    return accelerated(judged.row(cell, outcome), outcome)


def accelerated(row: ParityRow, outcome: Outcome) -> ParityRow:
    """A row with what the accelerator of its target took, where it has one."""
    if not TARGETS[row.target].accelerator:
        return row
    is_whole = bool(outcome.meta.get("fully_accelerated"))
    return replace(row, acceleration=acceleration(outcome.log, is_whole=is_whole))


@dataclass(frozen=True)
class JudgedRun:
    """What the cells of a run are judged by.

    Attributes:
        data: the run's held-out data.
        gates: the limits.
        answers: the SavedModels' answers, as `load_reference` returns them.
        phones: the phones among the targets.
    """

    data: HeldOut
    gates: Gates
    answers: Mapping[str, np.ndarray]
    phones: Sequence[PhoneFacts] = ()
    _known: dict[tuple[str, str, str], ParityRow] = field(default_factory=dict)
    _references: dict[int, tuple[Reference, Reference]] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        return self.data.run

    def gate(self, cell: Cell) -> Gate | None:
        """The gate of a cell's graph and recipe."""
        return self.gates.find(cell.graph, cell.recipe, is_implicit=self.data.is_implicit)

    def unavailable(self, variant: Variant, cell: Cell, required: Sequence[str]) -> ParityRow | None:
        """The row of a cell that cannot be run here; None where it can."""
        file = self.run.converted / variant.file
        return unavailable(cell, self.gate(cell), inputs=variant.inputs, required=required, file=file)

    def job(self, variant: Variant, cell: Cell, timeout_s: float) -> Job:
        """What executes a cell."""
        feeds = self.feeds(cell.target, [port.name for port in variant.inputs])
        file = self.run.converted / variant.file
        return variant_job(file, feeds, runtime=cell.runtime, delegate=cell.delegate, timeout_s=timeout_s)

    def asked(self, target: str) -> np.ndarray:
        """int64[n]: which of the held-out queries are asked on a target; see `Target.most_asked`."""
        n_queries, most = len(self.data.queries), TARGETS[target].most_asked
        return np.linspace(0, n_queries - 1, min(most or n_queries, n_queries)).astype(np.int64)

    def feeds(self, target: str, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Inputs of the queries asked on a target, and then of all edge cases."""
        n_queries, asked, everything = len(self.data.queries), self.asked(target), self.data.feeds(names)
        if len(asked) == n_queries:
            return everything
        return taken(everything, [*asked, *range(n_queries, n_queries + len(self.data.edges))])

    def expected(self, graph: str, target: str = "host") -> GraphExpected:
        """What a graph's variants should answer on a target."""
        asked = self.asked(target)
        if len(asked) not in self._references:
            self._references[len(asked)] = references(self.answers, self.data, asked)
        return GraphExpected(graph, *self._references[len(asked)])

    def row(self, cell: Cell, outcome: Outcome) -> ParityRow:
        """A cell's row. Runtimes and processors often agree to the last bit: what was judged is not judged again."""
        key = (cell.graph, cell.recipe, outputs_sha256(outcome.arrays)) if outcome else None
        if key is not None and key in self._known:
            return cell.place(self._known[key])
        row = judge(cell, outcome, self.expected(cell.graph, cell.target), self.gate(cell))
        if key is not None:
            self._known[key] = row
        return row

    def again(self, row: ParityRow) -> ParityRow:
        """The row of stored outputs.

        Raises:
            InputError: they are missing, or others than the row was made from.
        """
        outcome = Outcome("", stored(self.run, row))
        again = self.row(cell_of(row), outcome)
        return replace(again, acceleration=row.acceleration, blame=None if again.status == "pass" else row.blame)

    def write(self, rows: Sequence[ParityRow], name: str = "parity.json") -> ParityReport:
        """Write a report in reports/; a complete one takes the place of an unfinished one."""
        report = ParityReport(
            **document_head(PARITY_SCHEMA, sha256_file(self.run.converted / "variants.json"), runtime_packages()),
            reference_sha256=reference_sha256(self.run),
            phones=list(self.phones),
            results=list(rows),
        )
        write_json(self.run.reports / name, report.to_json())
        if name != UNFINISHED:
            (self.run.reports / UNFINISHED).unlink(missing_ok=True)
        return report
