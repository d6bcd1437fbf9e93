"""The one judge of a cell of the matrix: what a .tflite file answered, against what it should have answered, under a gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np

from ....core.files.hashing import sha256_bytes
from ....core.records.agreement import Agreement
from ....core.records.parity import Delegate, EdgeResult, FirstDifference, ParityRow, Status
from ....core.records.record import Json
from ....core.records.variants import Port
from ....runtimes.gpu_traps import gpu_refusal
from ....runtimes.launch import Outcome
from ....runtimes.model_file.reader import read_tflite
from ....runtimes.runtimes import RUNTIMES
from ....runtimes.targets import TARGETS, Target
from ..outputs import Answers
from .edge_gates import judge_edges, value_bound
from .gates import Gate

Outputs: TypeAlias = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Cell:
    """A variant on a runtime, a processor, and with or without the runtime's delegate."""

    graph: str
    recipe: str
    runtime: str
    target: str = "host"
    delegate: bool = True

    @property
    def label(self) -> str:
        """The stem of the file that its raw outputs are kept in."""
        where = "" if self.target == "host" else f"@{self.target.replace('/', '-')}"
        return f"{self.graph}-{self.recipe}@{self.runtime}{where}{'' if self.delegate else '@none'}"

    def place(self, row: ParityRow) -> ParityRow:
        """A row as this cell's own: what was judged on another runtime, and gave the same outputs."""
        return replace(row, runtime=self.runtime, target=self.target, delegate=_delegate(self))


@dataclass(frozen=True)
class EdgeAnswers:
    """Answers to the edge cases, in the order of their names."""

    names: Sequence[str]
    answers: Answers


@dataclass(frozen=True)
class Findings:
    """What a comparison found.

    Attributes:
        metrics: of the held-out queries.
        answers: both sides, to show where they differ; None where the outputs rank nothing.
        edges: answers to the edge cases; None where none were asked.
    """

    metrics: Agreement
    answers: Answers | None = None
    edges: EdgeAnswers | None = None


class Expected(Protocol):
    """What a cell's outputs are compared with."""

    @property
    def n_queries(self) -> int:
        """Queries, edge cases not counted."""
        ...

    @property
    def values_are_outputs(self) -> bool:
        """Whether the values of `Findings.answers` are outputs, which `max_abs_diff` bounds, and not made from them."""
        ...

    def invalid(self, outputs: Outputs) -> str:
        """Why outputs cannot be compared at all; '' when they can."""
        ...

    def compare(self, outputs: Outputs) -> Findings:
        """Metrics, and both sides' answers. Asked only of outputs that are not invalid."""
        ...

    def first_difference(self, answers: Answers, row: int) -> FirstDifference:
        """Both lists of one query."""
        ...


def unavailable(
    cell: Cell,
    gate: Gate | None,
    *,
    inputs: Sequence[Port] = (),
    required: Sequence[str] = (),
    file: Path | None = None,
) -> ParityRow | None:
    """The row of a cell that cannot be run here; None where it can.

    Args:
        inputs: ports of the variant; some runtimes do not take text.
        file: the variant; some files end an accelerator's process.
        required: targets on which something missing is an error, not skipped. Inputs that a runtime never takes stay skipped.
    """
    runtime, target = RUNTIMES[cell.runtime], TARGETS[cell.target]
    if reason := runtime.refuses(inputs, delegate=cell.delegate) or _refusal(target, file):
        return _row(cell, "skipped", reason, gate)
    if reason := runtime.missing() or target.missing():
        return _row(cell, "error" if cell.target in required else "skipped", reason, gate)
    return None


def _refusal(target: Target, file: Path | None) -> str:
    return gpu_refusal(read_tflite(file)) if target.accelerator and file is not None else ""


def judge(cell: Cell, outcome: Outcome, expected: Expected, gate: Gate | None) -> ParityRow:
    """The row of a cell that was run.

    Args:
        outcome: what the worker wrote, or why it failed.
        expected: what the outputs are compared with.
        gate: limits; with None everything is compared, and the row fails for want of a gate.
    """
    if not outcome:
        return _row(cell, "error", outcome.reason, gate)
    compared = _Compared(n_queries=expected.n_queries, outputs_sha256=outputs_sha256(outcome.arrays))
    if reason := expected.invalid(outcome.arrays):
        return _row(cell, "error", reason, gate, compared)
    found = expected.compare(outcome.arrays)
    misses = gate.misses(found.metrics) if gate else [f"no gate for {cell.graph}.{cell.recipe}"]
    if found.metrics.seen_returned:
        misses.append(f"{found.metrics.seen_returned} items came back that were masked as seen")
    span = found.answers.span if found.answers else 0.0
    bound = value_bound(gate, span, values_are_outputs=expected.values_are_outputs)
    edges: dict[str, EdgeResult] = {}
    if found.edges:
        # A made-up history can score beyond what held-out users reach, and an error of quantization grows with the scores.
        reach = max(span, found.edges.answers.span)
        allowed = value_bound(gate, reach, values_are_outputs=expected.values_are_outputs)
        edges = judge_edges(found.edges.names, found.edges.answers, allowed)
    misses += [f"edge '{name}' {edge.reason}" for name, edge in edges.items() if edge.reason]
    compared = replace(compared, metrics=found.metrics, edges=edges)
    if misses and found.answers is not None:
        row = found.answers.differing(bound)
        compared = replace(compared, first_difference=expected.first_difference(found.answers, row))
    return _row(cell, "fail" if misses else "pass", "; ".join(misses), gate, compared)


def outputs_sha256(arrays: Outputs) -> str:
    """Hex SHA-256 of the names and bytes of arrays."""
    return sha256_bytes(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays)))


@dataclass(frozen=True)
class _Compared:
    """The part of a row that only outputs give."""

    n_queries: int = 0
    outputs_sha256: str | None = None
    metrics: Agreement = field(default_factory=Agreement)
    edges: dict[str, EdgeResult] = field(default_factory=dict)
    first_difference: FirstDifference | None = None


_NOTHING = _Compared()


def tolerance_of(gate: Gate | None) -> Json:
    """A gate as the JSON holds it."""
    return gate.to_json() if gate else {"reason": "none"}


def _row(cell: Cell, status: Status, reason: str, gate: Gate | None, compared: _Compared = _NOTHING) -> ParityRow:
    return ParityRow(
        graph=cell.graph,
        recipe=cell.recipe,
        runtime=cell.runtime,
        target=cell.target,
        delegate=_delegate(cell),
        status=status,
        reason=reason,
        n_queries=compared.n_queries,
        metrics=compared.metrics,
        tolerance=tolerance_of(gate),
        edges=compared.edges,
        first_difference=compared.first_difference,
        outputs_sha256=compared.outputs_sha256,
    )


def _delegate(cell: Cell) -> Delegate:
    return "xnnpack" if cell.delegate else "none"
