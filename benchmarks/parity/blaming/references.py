"""What the tensors of a file should hold: of the same file executed elsewhere, or of a float32 file of the same graph."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....convert.flatbuffer.cutting import CutGraph, output_name
from ....core.errors import CheckFailed
from ....core.queries.packing import rows_of
from ....runtimes.launch import run_variant
from ....runtimes.probing import on_disk
from .differences import worst_share

Rows = Sequence[np.ndarray]


@dataclass(frozen=True)
class TensorValues:
    """What a reference holds for tensors of the blamed file.

    Attributes:
        label: the reference, for people.
        rows: by tensor, one array per query; of several a right tensor equals one.
        places: numbers of the operators after which the file may be cut.
        is_same_file: whether the reference is the same file, and so knows the inputs of every operator.
    """

    label: str
    rows: Mapping[int, Sequence[Rows]]
    places: Sequence[int]
    is_same_file: bool

    def share(self, index: int, got: Rows) -> float:
        """How far a tensor is off, as a share of its range."""
        return min(worst_share(rows, got) for rows in self.rows[index])


def same_file(cut: CutGraph, feeds: Mapping[str, np.ndarray], runtime: str, timeout_s: float) -> TensorValues:
    """All tensors of the file on the host, without XNNPACK, whose kernels keep every tensor.

    Raises:
        CheckFailed: the file does not run there.
    """
    values = _computed(cut, feeds, runtime, timeout_s)
    rows = {index: [values_of(cut, index, values)] for index in cut.observed()}
    return TensorValues(f"the same file on {runtime} without XNNPACK", rows, cut.places(), is_same_file=True)


def float32_file(
    cut: CutGraph, exact: CutGraph, feeds: Mapping[str, np.ndarray], runtime: str, timeout_s: float
) -> TensorValues:
    """Tensors of a float32 file, for those operators of a file that do the same.

    Operators of both files are aligned in execution order by name, and by type and shape of their outputs. A tensor counts as
    right, too, where it equals another of the float32 file of the same shape: recipes move operators.

    Raises:
        CheckFailed: the float32 file does not run.
    """
    values = _computed(exact, feeds, runtime, timeout_s)
    kinds = [[_kind(graph, number) for number in graph.places()] for graph in (cut, exact)]
    matcher = difflib.SequenceMatcher(None, *kinds, autojunk=False)
    pairs = [(a + n, b + n) for a, b, size in matcher.get_matching_blocks() for n in range(size)]
    alike: dict[object, list[Rows]] = {}
    for index in exact.observed():
        tensor = exact.tensor(index)
        alike.setdefault((tensor.dtype, tensor.shape), []).append(values_of(exact, index, values))
    rows: dict[int, Sequence[Rows]] = {}
    places = []
    for ours, theirs in pairs:
        op, known = cut.ops[cut.places()[ours]], exact.ops[exact.places()[theirs]]
        places.append(cut.places()[ours])
        for index, other in zip(op.outputs, known.outputs, strict=True):
            if cut.is_observed(index):
                tensor = cut.tensor(index)
                own = values_of(exact, other, values)
                rows[index] = [own, *(alike[tensor.dtype, tensor.shape] if own[0].size > 1 else [])]
    return TensorValues(f"the float32 file on {runtime} without XNNPACK", rows, places, is_same_file=False)


def values_of(cut: CutGraph, index: int, outputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """A tensor of a cut file's packed outputs, one array per query; shapes that packing lost follow from the file's."""
    rows, shape = rows_of(outputs, output_name(index)), cut.tensor(index).shape
    return [row.reshape(shape) for row in rows] if shape.count(-1) == 1 else rows


def _kind(graph: CutGraph, number: int) -> tuple[object, ...]:
    op = graph.ops[number]
    return op.name, *((graph.tensor(index).dtype, graph.tensor(index).shape) for index in op.outputs)


def _computed(
    cut: CutGraph, feeds: Mapping[str, np.ndarray], runtime: str, timeout_s: float
) -> Mapping[str, np.ndarray]:
    with on_disk(cut.until(len(cut.ops) - 1, cut.observed())) as path:
        outcome = run_variant(path, feeds, runtime=runtime, delegate=False, timeout_s=timeout_s)
    if not outcome:
        raise CheckFailed(f"the reference does not run with all its tensors: {outcome.reason}", code="RUNTIME_FAILED")
    return outcome.arrays
