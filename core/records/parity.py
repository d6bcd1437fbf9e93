"""parity.json: every variant on every runtime and processor next to the SavedModel."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from ..documents import PARITY_SCHEMA, read_json
from .agreement import Agreement
from .phone import PhoneFacts
from .record import Doc, Json, Record

Status = Literal["pass", "fail", "error", "skipped"]
Delegate = Literal["xnnpack", "none"]


@dataclass(frozen=True)
class EdgeResult(Record):
    """A variant's answer to one edge case."""

    max_abs_diff: Annotated[
        float, Doc("largest difference; of scores for a query encoder", "unit of the compared values")
    ]
    reason: Annotated[str, Doc("why it fails; '' where it passes")]


@dataclass(frozen=True)
class ListedItem(Record):
    """One item of a list that differs."""

    title: str
    score: Annotated[float | None, Doc("null for what may not be returned")]


@dataclass(frozen=True)
class FirstDifference(Record):
    """The first user whose list differs, both lists side by side, up to ten items each, best first."""

    reference: list[ListedItem]
    variant: list[ListedItem]
    user: Annotated[str | int | None, Doc("null for a foreign pair, and for a user in no vocabulary")] = None
    query: Annotated[str | None, Doc("which query of a foreign pair; null for a run")] = None

    @property
    def subject(self) -> str:
        """Whose lists these are, for people."""
        return f"user {self.user}" if self.user is not None else self.query or "a query"


@dataclass(frozen=True)
class Acceleration(Record):
    """What an accelerator took of a graph, as it said itself."""

    operators: Annotated[int | None, Doc("operators it took; null where it took all, or did not say")]
    left: Annotated[int | None, Doc("operators that it left on the CPU; null where it did not say")]
    reasons: Annotated[list[str], Doc("why, in the accelerator's own words, each once")] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line for people; '' where it said nothing."""
        if self.left == 0:
            return "all operators on the accelerator"
        counts = f"{self.left} of {self.left + (self.operators or 0)} operators left on the CPU" if self.left else ""
        return ": ".join(filter(None, (counts, "; ".join(self.reasons))))


@dataclass(frozen=True)
class BlamedTensor(Record):
    """An input or output of the operator that is blamed."""

    shape: Annotated[list[int], Doc("as it was computed; as the file states it where it was not")]
    dtype: str
    is_constant: Annotated[bool, Doc("whether no input of the graph has a part in it")] = False

    def __str__(self) -> str:
        return f"{'constant ' if self.is_constant else ''}{self.shape}"


Alone = Literal["wrong", "right", "fails"]


@dataclass(frozen=True, kw_only=True)
class Blame(Record):
    """The first operator of a failed cell whose output leaves the tolerance, found by cutting the graph."""

    operator: Annotated[str | None, Doc("its name; null where none was found")] = None
    number: Annotated[int | None, Doc("its place in execution order, from 0")] = None
    n_operators: Annotated[int, Doc("operators of the graph")]
    unseen: Annotated[
        list[str], Doc("operators right before it whose outputs could not be compared; one of them may be the one")
    ] = field(default_factory=list)
    inputs: list[BlamedTensor] = field(default_factory=list)
    outputs: list[BlamedTensor] = field(default_factory=list)
    difference: Annotated[
        float | None,
        Doc("largest difference of what it computes, as a share of the reference's range; null where nothing came out"),
    ] = None
    tolerance: Annotated[float | None, Doc("share of a tensor's range up to which it counts as right")] = None
    reference: Annotated[str, Doc("what the tensors were compared with")] = ""
    reason: Annotated[str, Doc("why nothing came out of it, or why none was found; '' otherwise")] = ""
    alone: Annotated[
        Alone | None,
        Doc("what a graph of this operator alone does, fed with the reference's values; null where it cannot be"),
    ] = None
    probes: Annotated[int, Doc("cut graphs that were executed")] = 0
    file: Annotated[
        str | None,
        Doc("that graph, in the folder of parity.json; beside it an .npz with its inputs; null where it is right"),
    ] = None

    @property
    def call(self) -> str:
        """The operator with the shapes of what it takes and gives."""
        shapes = [", ".join(map(str, side)) for side in (self.inputs, self.outputs)]
        return f"{self.operator} of {shapes[0] or 'nothing'} to {shapes[1] or 'nothing'}"

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.operator is None or self.number is None:
            return f"no operator found: {self.reason}"
        off = "values that are no numbers" if self.difference is None else f"off by {self.difference:.3g} of the range"
        said = textwrap.shorten(self.reason, 160, placeholder="…")
        alone = {"wrong": "wrong alone too", "fails": "fails alone too", "right": "right alone"}
        texts = (
            f"{self.call}, operator {self.number + 1} of {self.n_operators}: {said or off}",
            alone[self.alone] if self.alone else "",
            f"or before it {', '.join(self.unseen)}" if self.unseen else "",
            f"compared with {self.reference}",
        )
        return "; ".join(filter(None, texts))


@dataclass(frozen=True, kw_only=True)
class ParityRow(Record):
    """One cell of the matrix: a variant on a runtime, a processor and a delegate."""

    graph: Annotated[str | None, Doc("of a foreign pair: the signature")]
    recipe: Annotated[str | None, Doc("of a foreign pair: the name of the .tflite file")]
    runtime: Annotated[str, Doc("a key of the runtimes, such as `litert-2.3.0`")]
    target: Annotated[str, Doc("a key of the targets, such as `host` or `arm64/cortex-a53`")]
    delegate: Annotated[Delegate, Doc("whether the runtime might use its default delegate")] = "xnnpack"
    status: Annotated[
        Status,
        Doc(
            "fail: a gate was missed; error: it crashed, hung, was refused or gave NaN, or `--require` named a target that is "
            "missing; skipped: the target or runtime is missing, or does not take such inputs"
        ),
    ]
    reason: Annotated[str, Doc("why it is not `pass`; '' otherwise")]
    n_queries: Annotated[int, Doc("held-out users asked; spread evenly where all would be too many")]
    metrics: Agreement = field(default_factory=Agreement)
    tolerance: Annotated[Json, Doc("the gate's limits and its `reason`")] = field(default_factory=dict)
    edges: Annotated[dict[str, EdgeResult], Doc("edge case to its result; empty where nothing was compared")] = field(
        default_factory=dict
    )
    first_difference: Annotated[
        FirstDifference | None, Doc("under a failed gate: the first user whose list differs")
    ] = None
    outputs_sha256: Annotated[
        str | None, Doc("of the raw outputs' names and values; null where nothing ran", "hex")
    ] = None
    acceleration: Annotated[
        Acceleration | None, Doc("what the accelerator of the target took; null where there is none, or nothing ran")
    ] = None
    blame: Annotated[Blame | None, Doc("by `--blame`: where a failed cell goes wrong; null where nobody asked")] = None

    @property
    def limits(self) -> dict[str, float]:
        """The gate's limits by metric."""
        return {name: value for name, value in self.tolerance.items() if isinstance(value, int | float)}


class HasReports(Protocol):
    """A run, as far as its reports go."""

    @property
    def reports(self) -> Path: ...


@dataclass(frozen=True, kw_only=True)
class ParityReport(Record):
    """The document parity.json; true when no row failed."""

    schema: Annotated[str, Doc("name and version of the schema")] = PARITY_SCHEMA
    kit_version: Annotated[str, Doc("version of the kit that wrote the file")] = ""
    made_from_sha256: Annotated[
        str, Doc("of variants.json; of a foreign pair's SavedModel, .tflite file and inputs", "hex")
    ]
    reference_sha256: Annotated[str | None, Doc("of reference.npz; null for a foreign pair", "hex")] = None
    host: Annotated[Json, Doc("see `host`")] = field(default_factory=dict)
    phones: Annotated[list[PhoneFacts], Doc("the phones among the targets; empty without any")] = field(
        default_factory=list
    )
    results: list[ParityRow]

    @property
    def rows(self) -> Sequence[ParityRow]:
        """The cells of the matrix, `results` of the JSON."""
        return self.results

    @property
    def failures(self) -> list[ParityRow]:
        """Rows that missed a gate or could not be compared, which end `pocketrec parity` with exit status 1."""
        return [row for row in self.results if row.status in ("fail", "error")]

    @property
    def passed(self) -> bool:
        return not self.failures

    def __bool__(self) -> bool:
        return self.passed

    @classmethod
    def read(cls, run: HasReports) -> Self:
        """Read reports/parity.json of a run.

        Raises:
            InputError: it is missing, of another schema, or lacks a field.
        """
        path = run.reports / "parity.json"
        return cls.from_json(read_json(path, PARITY_SCHEMA), str(path))
