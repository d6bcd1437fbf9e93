"""Parity of a SavedModel and a .tflite file that this kit did not make."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...core.documents import PARITY_SCHEMA, document_head, write_json
from ...core.errors import InputError, pick
from ...core.files.atomic import require_empty, write_npz
from ...core.files.hashing import sha256_bytes, sha256_file, sha256_tree
from ...core.queries.packing import taken
from ...core.records.parity import ParityReport, ParityRow
from ...core.records.variants import Port
from ...runtimes.launch import Outcome, connected, run_variant
from ...runtimes.model_file.reader import read_bytes, read_tflite
from ...runtimes.npz_inputs import feeds_of_npz
from ...runtimes.runtimes import RUNTIMES, chosen_runtimes, runtime_packages
from ...runtimes.targets import TARGETS
from .blaming.failed_cell import FailedCell, blamed, nothing_failed
from .judging.gates import FOREIGN, Gate, read_gates
from .judging.judge import Cell, Outputs, judge, unavailable
from .pair_answers import PairExpected, saved_model_outputs
from .stage import accelerated, matrix_cells


def check_foreign(
    saved_model: Path,
    tflite: Path,
    inputs: Path,
    *,
    signature: str | None = None,
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    out: Path | None = None,
    gates: Path | None = None,
    scores: str | None = None,
    blame: bool = False,
    timeout_s: float = 120.0,
) -> ParityReport:
    """Compare a SavedModel's signature with a .tflite file on every query of an .npz.

    Args:
        saved_model, tflite: both sides.
        inputs: .npz with one array per input, keyed by name; axis 0 indexes queries.
        signature: of the SavedModel; its first when None.
        runtimes: keys of `RUNTIMES`; all when empty.
        targets: keys of `TARGETS`; `host` when empty. Some are asked a part of the queries, see `Target.most_asked`.
        out: an empty or new folder for parity.json and the raw outputs; nothing is written when None.
        gates: TOML file with a table [foreign.any] in place of the kit's own.
        scores: output that ranks. With an output of ids beside it (`ids`, or the only integer output of the same shape) lists are
            compared, otherwise the order of its values; when None, an output called scores or score.
        blame: whether the operator is found that each failed cell fails by.
        timeout_s: time limit of a run, in seconds.

    Returns:
        The report: true when no row failed.

    Raises:
        InputError: files that cannot be read or do not fit each other, no such output, or nothing failed that could be blamed.
    """
    from ...convert.converter import choose_signature

    places = list(dict.fromkeys(pick("--target", name, TARGETS) for name in targets)) or ["host"]
    file, names = read_tflite(tflite), chosen_runtimes(runtimes, places, RUNTIMES)
    if out is not None:
        require_empty(out)
    gate = _gate(gates)
    feeds = feeds_of_npz(inputs, file.ports()[0], "--inputs")
    chosen, loaded = choose_signature(saved_model, signature)
    expected = PairExpected.of(saved_model_outputs(loaded, feeds), scores)
    pair = _Pair(saved_model, chosen, tflite, feeds, expected, gate, out, timeout_s)
    with connected(places) as phones:
        rows = {cell: pair.row(cell) for cell in matrix_cells(chosen, tflite.stem, names, places)}
        if blame:
            rows |= pair.blamed(rows)
    made_from = sha256_tree(saved_model) + sha256_file(tflite) + sha256_file(inputs)
    report = ParityReport(
        **document_head(PARITY_SCHEMA, sha256_bytes(made_from.encode()), runtime_packages()),
        phones=[phone.facts for phone in phones],
        results=list(rows.values()),
    )
    if out is not None:
        write_json(out / "parity.json", report.to_json())
    return report


def _gate(path: Path | None) -> Gate:
    gate = read_gates(path).find(*FOREIGN)
    if gate is None:
        raise InputError(
            "--gates",
            expected="a table [foreign.any]",
            given="none",
            do="add it, or leave --gates out",
            code="GATES_INVALID",
        )
    return gate


@dataclass(frozen=True)
class _Pair:
    """Both sides, as `check_foreign` takes them, and what the cells are judged by."""

    saved_model: Path
    signature: str
    tflite: Path
    feeds: Outputs
    expected: PairExpected
    gate: Gate
    out: Path | None
    timeout_s: float

    @cached_property
    def ports(self) -> list[Port]:
        """Inputs of the file."""
        return [Port(**port) for port in read_tflite(self.tflite).ports()[0]]

    def asked(self, target: str) -> tuple[Outputs, PairExpected]:
        """Packed inputs and answers of the queries asked on a target."""
        n_queries, most = self.expected.n_queries, TARGETS[target].most_asked
        if not most or most >= n_queries:
            return self.feeds, self.expected
        queries = np.linspace(0, n_queries - 1, most).astype(np.int64)
        return taken(self.feeds, queries), self.expected.taken(queries)

    def row(self, cell: Cell) -> ParityRow:
        """A cell's row; its raw outputs are written."""
        if (row := unavailable(cell, self.gate, inputs=self.ports, file=self.tflite)) is not None:
            return row
        outcome = run_variant(
            self.tflite,
            self.asked(cell.target)[0],
            runtime=cell.runtime,
            target=cell.target,
            delegate=cell.delegate,
            timeout_s=self.timeout_s,
        )
        if self.out is not None and outcome:
            write_npz(self.out / "raw" / f"{_where(cell)}.npz", **outcome.arrays)
        return accelerated(self.judged(cell, outcome), outcome)

    def judged(self, cell: Cell, outcome: Outcome) -> ParityRow:
        """The row of a cell that was run."""
        return judge(cell, outcome, self.asked(cell.target)[1], self.gate)

    def blamed(self, rows: Mapping[Cell, ParityRow]) -> dict[Cell, ParityRow]:
        """The rows of failed cells, with what they fail by."""
        failed = {cell: row for cell, row in rows.items() if row.status in ("fail", "error")}
        if not failed:
            raise nothing_failed(len(rows))
        return {cell: blamed(row, self._failed(cell), self.out) for cell, row in failed.items()}

    def _failed(self, cell: Cell) -> FailedCell:
        return FailedCell(
            cell,
            read_bytes(self.tflite),
            self.ports,
            self.asked(cell.target)[0],
            lambda outcome: self.judged(cell, outcome).status == "pass",
            lambda: self.float32,
            self.gate,
            self.timeout_s,
        )

    @cached_property
    def float32(self) -> bytes:
        """The SavedModel's signature, converted to float32."""
        from ...convert.converter import choose_signature, convert_function

        _, loaded = choose_signature(self.saved_model, self.signature)
        return convert_function(loaded.owner, loaded.function, signature=self.signature, allow_select_tf_ops=True)


def _where(cell: Cell) -> str:
    place = "" if cell.target == "host" else f"@{cell.target.replace('/', '-')}"
    return f"{cell.runtime}{place}{'' if cell.delegate else '@none'}"
