"""What the cells of a run answered, kept beside its report: to judge again, and to resume a run that was interrupted."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...core.documents import PARITY_SCHEMA, kit_version, read_json
from ...core.errors import InputError
from ...core.files.atomic import write_npz
from ...core.files.hashing import sha256_file
from ...core.records.parity import ParityReport, ParityRow
from ...core.run_dir import Run
from .judging.judge import Cell, outputs_sha256
from .reference import reference_sha256

# Written after each batch of cells, and removed when the report is complete.
UNFINISHED = "parity-unfinished.json"


def cell_of(row: ParityRow) -> Cell:
    """The cell that a row is of."""
    return Cell(row.graph or "", row.recipe or "", row.runtime, row.target, row.delegate == "xnnpack")


def store(run: Run, cell: Cell, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep a cell's raw outputs."""
    write_npz(_path(run, cell), **arrays)


def stored(run: Run, row: ParityRow) -> dict[str, np.ndarray]:
    """The raw outputs that a row was judged by.

    Raises:
        InputError: they are missing, or others (`INPUT_CHANGED`).
    """
    path = _path(run, cell_of(row))
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
        raise changed(str(path), "the raw outputs that parity.json was made from", "other outputs")
    return arrays


def answered(run: Run) -> dict[Cell, ParityRow]:
    """Rows of cells that were executed, of the last report and of an interrupted run.

    Both must be by this version of the kit, on the same variants and reference.
    """
    now = (kit_version(), sha256_file(run.converted / "variants.json"), reference_sha256(run))
    found: dict[Cell, ParityRow] = {}
    for name in ("parity.json", UNFINISHED):
        path = run.reports / name
        if not path.is_file():
            continue
        report = ParityReport.from_json(read_json(path, PARITY_SCHEMA), str(path))
        if (report.kit_version, report.made_from_sha256, report.reference_sha256) != now:
            continue
        found |= {cell_of(row): row for row in report.rows if row.outputs_sha256 is not None}
    return found


def changed(what: str, expected: str, given: str) -> InputError:
    """The error of what is not what the report was made from."""
    return InputError(what, expected=expected, given=given, do="run `pocketrec parity RUN`", code="INPUT_CHANGED")


def _path(run: Run, cell: Cell) -> Path:
    return run.reports / "raw" / f"{cell.label}.npz"
