"""A cell that failed, and what it is searched with: a reference, some of its queries, a tolerance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....convert.flatbuffer.cutting import CutGraph
from ....core.errors import CheckFailed, InputError
from ....core.files.atomic import write_bytes, write_npz
from ....core.queries.packing import names_of, rows_of, taken
from ....core.records.parity import Blame, ParityRow
from ....core.records.variants import Port
from ....runtimes.launch import Outcome
from ....runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES, SAVED_MODEL_RUNTIME
from ....runtimes.targets import TARGETS
from ..judging.gates import Gate
from ..judging.judge import Cell, unavailable
from .differences import shares_by_query
from .references import TensorValues, float32_file, same_file
from .search import Reproduction, Search, execute

FOLDER = "blame"
# Queries that are executed on every cut: those that are furthest off, and some spread evenly.
_WORST, _SPREAD = 8, 4
# Float32 on another processor differs by a hundredth of this.
_LEAST_TOLERANCE = 1e-3
# Where a gate limits no share of a range: as for foreign pairs, a fiftieth.
_USUAL_TOLERANCE = 0.02


@dataclass(frozen=True)
class FailedCell:
    """What failed.

    Attributes:
        cell: where.
        data: the file's bytes.
        inputs: its ports.
        feeds: packed inputs of all queries that were asked.
        passes: whether outputs pass the cell's gate.
        float32: gives a float32 file of the same graph, converted from the same SavedModel; called where the file itself is wrong.
        gate: its gate.
        timeout_s: time limit of one execution, in seconds.
    """

    cell: Cell
    data: bytes
    inputs: Sequence[Port]
    feeds: Mapping[str, np.ndarray]
    passes: Callable[[Outcome], bool]
    float32: Callable[[], bytes]
    gate: Gate | None
    timeout_s: float

    def blame(self) -> tuple[Blame, Reproduction | None]:
        """The first operator that goes wrong, and its graph where it goes wrong alone.

        The reference is the same file on the host without XNNPACK, where it passes there, or runs at all where the cell does not;
        otherwise a float32 file.

        Raises:
            InputError: a file that cannot be cut.
            CheckFailed: no reference runs.
        """
        cut = CutGraph(self.data)
        whole = self._execute(self.data, self.cell)
        if self.passes(whole):
            return Blame(n_operators=len(cut.ops), reason="executed again, the cell passes", probes=1), None
        for runtime in (CURRENT_RUNTIME, SAVED_MODEL_RUNTIME):
            place = replace(self.cell, runtime=runtime, target="host", delegate=False)
            if place == self.cell or unavailable(place, None, inputs=self.inputs):
                continue
            known = self._execute(self.data, place)
            if self.passes(known) or (known and not whole):
                return self._search(
                    cut, whole, known, lambda feeds, r=runtime: same_file(cut, feeds, r, self.timeout_s)
                )
        return self._search_float32(cut, whole)

    def _search_float32(self, cut: CutGraph, whole: Outcome) -> tuple[Blame, Reproduction | None]:
        exact = CutGraph(self.float32())
        known = self._execute(exact.data, replace(self.cell, runtime=CURRENT_RUNTIME, target="host", delegate=False))
        if not known:
            raise CheckFailed(f"the float32 file does not run: {known.reason}", code="RUNTIME_FAILED")
        return self._search(
            cut, whole, known, lambda feeds: float32_file(cut, exact, feeds, CURRENT_RUNTIME, self.timeout_s)
        )

    def _search(
        self, cut: CutGraph, whole: Outcome, known: Outcome, values: Callable[[Mapping[str, np.ndarray]], TensorValues]
    ) -> tuple[Blame, Reproduction | None]:
        shares = _shares(known.arrays, whole.arrays)
        feeds = taken(self.feeds, _chosen(shares, self._n_queries))
        search = Search(cut, self.cell, feeds, values(feeds), self._tolerance(shares), self.timeout_s)
        return search.run()

    @property
    def _n_queries(self) -> int:
        return len(rows_of(self.feeds, names_of(self.feeds)[0]))

    def _tolerance(self, shares: np.ndarray) -> float:
        """The gate's limit; where the outputs are not that far off, half of what they are."""
        limit = (self.gate.limits if self.gate else {}).get("max_diff_of_range", _USUAL_TOLERANCE)
        worst = float(shares.max(initial=0.0))
        return min(max(limit, _LEAST_TOLERANCE), worst / 2) if worst else max(limit, _LEAST_TOLERANCE)

    def _execute(self, data: bytes, cell: Cell) -> Outcome:
        return execute(data, cell, self.feeds, self.timeout_s)


def _shares(expected: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> np.ndarray:
    """float64[n_queries]: how far the outputs of each query are off; empty where there are none to compare."""
    common = [name for name in names_of(expected) if name in got]
    if not common:
        return np.zeros(0)
    return np.max([shares_by_query(rows_of(expected, name), rows_of(got, name)) for name in common], axis=0)


def _chosen(shares: np.ndarray, n_queries: int) -> np.ndarray:
    """int64[n]: the queries that are furthest off, and others spread evenly."""
    n_spread = min(_SPREAD if len(shares) else _WORST + _SPREAD, n_queries)
    spread = np.linspace(0, n_queries - 1, n_spread).astype(np.int64)
    worst = np.argsort(-shares, kind="stable")[:_WORST]
    return np.unique(np.concatenate([worst, spread]))


def blamed(row: ParityRow, failed: FailedCell, reports: Path | None) -> ParityRow:
    """A row with what its cell fails by; the graph of an operator that is wrong alone is written to `reports`/blame."""
    if reports is not None:
        for suffix in (".tflite", ".npz"):
            (reports / FOLDER / f"{failed.cell.label}{suffix}").unlink(missing_ok=True)
    try:
        blame, graph = failed.blame()
    except CheckFailed as error:
        return replace(row, blame=Blame(n_operators=len(CutGraph(failed.data).ops), reason=str(error)))
    if graph is None or reports is None:
        return replace(row, blame=blame)
    file = Path(FOLDER) / f"{failed.cell.label}.tflite"
    write_bytes(reports / file, graph.data)
    write_npz((reports / file).with_suffix(".npz"), **graph.inputs)
    return replace(row, blame=replace(blame, file=str(file)))


def runnable(cell: Cell) -> bool:
    """Whether a cell of a stored report can be executed here."""
    return cell.runtime in RUNTIMES and cell.target in TARGETS


def nothing_failed(n_cells: int) -> InputError:
    """What to raise where no cell failed."""
    return InputError(
        "--blame",
        expected="a cell that failed",
        given=f"{n_cells} cells, none of which failed" if n_cells != 1 else "one cell, which did not fail",
        do="there is nothing to blame; leave it out, or choose other cells",
        code="NOTHING_FAILED",
    )
