"""Judging the stored outputs of a parity run again, under other gates, without running anything."""

from dataclasses import replace
from pathlib import Path

from ...core.files.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.records.parity import ParityReport, ParityRow
from ...core.run_dir import Run
from .judging.gates import read_gates
from .judging.judge import tolerance_of
from .reference import load_reference, reference_sha256
from .stage import JudgedRun
from .stored_outputs import cell_of, changed


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
        raise changed("parity.json", "a report on these variants", "one made from others")
    answers = load_reference(run, data)
    if known.reference_sha256 != reference_sha256(run):
        raise changed("reference.npz", "the answers that the report was made with", "others")
    return known, JudgedRun(data, limits, answers, known.phones)


def _judged_again(judged: JudgedRun, row: ParityRow) -> ParityRow:
    if row.outputs_sha256 is None and row.status in ("error", "skipped"):
        return replace(row, tolerance=tolerance_of(judged.gate(cell_of(row))))
    return judged.again(row)
