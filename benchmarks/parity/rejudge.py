"""Judging the stored outputs of a parity run again, under other gates, without running anything."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...core.errors import InputError
from ...core.files.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.records.parity import ParityReport, ParityRow
from ...core.run_dir import Run
from ...runtimes.launch import Outcome
from .judging.gates import read_gates
from .judging.judge import Cell, outputs_sha256, tolerance_of
from .reference import load_reference, reference_sha256
from .stage import RAW, JudgedRun


def rejudge(run: Run, *, gates: Path | None = None) -> ParityReport:
    """Judge the raw outputs of the last parity run again, and write reports/parity.json.

    Cells that did not run stay as they are.

    Args:
        run: a run with reports/parity.json and reports/raw.
        gates: TOML file of tolerances in place of the kit's own.

    Returns:
        The report: true when no row failed.

    Raises:
        InputError: parity was never run, a faulty gates file, raw outputs are missing, or variants, reference or raw outputs are
            not those that the report was made from (`INPUT_CHANGED`).
    """
    known, judged = stored_report(run, gates)
    return judged.write([_judged_again(judged, row) for row in known.rows])


def stored_report(run: Run, gates: Path | None = None) -> tuple[ParityReport, JudgedRun]:
    """The last report, and what its cells are judged by.

    Raises:
        InputError: parity was never run, a faulty gates file, or variants or reference are not those that the report was made
            from (`INPUT_CHANGED`).
    """
    limits, known, data = read_gates(gates), ParityReport.read(run), HeldOut(run)
    if known.made_from_sha256 != sha256_file(run.converted / "variants.json"):
        raise _changed("parity.json", "a report on these variants", "one made from others")
    answers = load_reference(run, data)
    if known.reference_sha256 != reference_sha256(run):
        raise _changed("reference.npz", "the answers that the report was made with", "others")
    return known, JudgedRun(data, limits, answers)


def cell_of(row: ParityRow) -> Cell:
    """The cell that a row is about."""
    return Cell(row.graph or "", row.recipe or "", row.runtime, row.target, row.delegate == "xnnpack")


def _judged_again(judged: JudgedRun, row: ParityRow) -> ParityRow:
    cell = cell_of(row)
    if row.outputs_sha256 is None and row.status in ("error", "skipped"):
        return replace(row, tolerance=tolerance_of(judged.gate(cell)))
    path = judged.run.reports / RAW / f"{cell.label}.npz"
    if not path.is_file():
        raise InputError(
            str(path),
            expected="the raw outputs of a parity run",
            given="no such file",
            do="run `pocketrec parity RUN`",
            code="INPUT_MISSING",
        )
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if row.outputs_sha256 not in (None, outputs_sha256(arrays)):  # reports of version 0.1 name no hash
        raise _changed(str(path), "the raw outputs that parity.json was made from", "other outputs")
    again = judged.row(cell, Outcome("", arrays))
    return replace(again, acceleration=row.acceleration, blame=None if again.status == "pass" else row.blame)


def _changed(what: str, expected: str, given: str) -> InputError:
    return InputError(what, expected=expected, given=given, do="run `pocketrec parity RUN`", code="INPUT_CHANGED")
