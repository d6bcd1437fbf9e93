"""The search: a cell that fails is executed again and again, cut ever closer to where it goes wrong.

A cut gives everything that later operators read. Where all of that is right after one cut, and something is wrong after the next,
the operator between them got right values and gave wrong ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ....convert.flatbuffer.cutting import CutGraph, output_name
from ....core.queries.packing import packed, rows_of
from ....core.records.parity import Alone, Blame, BlamedTensor
from ....runtimes.launch import Outcome, run_variant
from ....runtimes.probing import on_disk
from ..judging.judge import Cell
from .differences import worst_share
from .references import Rows, TensorValues, values_of

# Positions and ids that may differ: near ties change places, and gates bound lists by 0.9 of their items too.
_MOST_MOVED = 0.1
_NAMES = ("int32", "int64", "bool")


@dataclass(frozen=True)
class Fault:
    """What is wrong after a cut: how far off, as a share of the range, or why nothing came out."""

    share: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Reproduction:
    """A graph of the blamed operator alone, and inputs under which it goes wrong."""

    data: bytes
    inputs: Mapping[str, np.ndarray]


def execute(data: bytes, cell: Cell, feeds: Mapping[str, np.ndarray], timeout_s: float) -> Outcome:
    """Execute a file's bytes on the runtime, target and delegate of a cell."""
    with on_disk(data) as path:
        return run_variant(
            path, feeds, runtime=cell.runtime, target=cell.target, delegate=cell.delegate, timeout_s=timeout_s
        )


@dataclass
class Search:
    """Cuts of one file on one cell.

    Attributes:
        cut: the file.
        cell: where it is executed.
        feeds: packed inputs of the queries that are asked.
        values: the reference.
        tolerance: share of a tensor's range up to which it is right.
        timeout_s: time limit of one execution, in seconds.
    """

    cut: CutGraph
    cell: Cell
    feeds: Mapping[str, np.ndarray]
    values: TensorValues
    tolerance: float
    timeout_s: float
    probes: int = field(default=0, init=False)

    def run(self) -> tuple[Blame, Reproduction | None]:
        """The first operator that goes wrong, and its graph where it goes wrong alone."""
        if not self.values.places:
            return self._nothing("no operator of the file does what one of the float32 file does"), None
        found = self._first(list(self.values.places))
        if found is None:
            return self._nothing("cut into pieces, the file answers as the reference does"), None
        place, before, fault = found
        alone, graph = self._alone(place)
        return self._blame(place, before, fault, alone), graph

    def _first(self, places: Sequence[int]) -> tuple[int, int, Fault] | None:
        """(operator, the last one that was right, what is wrong); None where the whole graph is right."""
        right, wrong = -1, len(places) - 1
        fault = self._fault(places[wrong])
        if fault is None:
            return None
        while wrong - right > 1:
            middle = (right + wrong) // 2
            found = self._fault(places[middle])
            if found is None:
                right = middle
            else:
                wrong, fault = middle, found
        return places[wrong], places[right] if right >= 0 else -1, fault

    def _fault(self, place: int) -> Fault | None:
        tensors = [index for index in self.cut.live(place) if index in self.values.rows]
        outcome = self._execute(self.cut.until(place, tensors), self.feeds)
        if not outcome:
            return Fault(reason=outcome.reason)
        shares = {index: self.values.share(index, values_of(self.cut, index, outcome.arrays)) for index in tensors}
        beyond = [share for index, share in shares.items() if self._is_beyond(index, share)]
        return Fault(max(beyond)) if beyond else None

    def _is_beyond(self, index: int, share: float) -> bool:
        is_name = self.cut.tensor(index).dtype in _NAMES
        return share > (max(self.tolerance, _MOST_MOVED) if is_name else self.tolerance)

    def _execute(self, data: bytes, feeds: Mapping[str, np.ndarray]) -> Outcome:
        self.probes += 1
        return execute(data, self.cell, feeds, self.timeout_s)

    def _alone(self, place: int) -> tuple[Alone | None, Reproduction | None]:
        """What the operator does with the reference's values as its inputs."""
        if not self.values.is_same_file:
            return None, None
        rows = {index: known for index in self.cut.ops[place].inputs if (known := self._rows(index)) is not None}
        data = self.cut.alone(place, {index: known[0].shape for index, known in rows.items()})
        if data is None:
            return None, None
        alike = [q for q in range(self._n_queries) if all(r[q].shape == r[0].shape for r in rows.values())]
        feeds = packed({output_name(index): [known[q] for q in alike] for index, known in rows.items()})
        outcome, graph = self._execute(data, feeds), Reproduction(data, feeds)
        if not outcome:
            return "fails", graph
        for index in filter(self.cut.is_observed, self.cut.ops[place].outputs):
            expected = [self.values.rows[index][0][q] for q in alike]
            rows = zip(rows_of(outcome.arrays, output_name(index)), expected, strict=True)
            got = [row.reshape(known.shape) for row, known in rows]
            if self._is_beyond(index, worst_share(expected, got)):
                return "wrong", graph
        return "right", None

    @property
    def _n_queries(self) -> int:
        return len(next(iter(self.values.rows.values()))[0])

    def _rows(self, index: int) -> Rows | None:
        """What a tensor holds by the reference, one array per query; None for a constant."""
        if index in self.cut.input_names:
            return rows_of(self.feeds, self.cut.input_names[index])
        return self.values.rows[index][0] if index in self.values.rows else None

    def _blame(self, place: int, before: int, fault: Fault, alone: Alone | None) -> Blame:
        op = self.cut.ops[place]
        return Blame(
            operator=op.name,
            number=place,
            n_operators=len(self.cut.ops),
            unseen=[self.cut.ops[number].name for number in range(before + 1, place)],
            inputs=[self._tensor(index) for index in op.inputs if index >= 0],
            outputs=[self._tensor(index) for index in op.outputs],
            difference=fault.share if not fault.reason and np.isfinite(fault.share) else None,
            tolerance=self.tolerance,
            reference=self.values.label,
            reason=fault.reason,
            alone=alone,
            probes=self.probes,
        )

    def _tensor(self, index: int) -> BlamedTensor:
        tensor, rows = self.cut.tensor(index), self._rows(index)
        shape = tensor.shape if rows is None else rows[0].shape
        return BlamedTensor(list(shape), tensor.dtype, index in self.cut.constant)

    def _nothing(self, reason: str) -> Blame:
        n_operators, reference = len(self.cut.ops), self.values.label
        return Blame(n_operators=n_operators, reference=reference, reason=reason, probes=self.probes)
