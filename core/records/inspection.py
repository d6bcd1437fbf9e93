"""What `inspect` finds in a .tflite file."""

from dataclasses import dataclass, field
from typing import Annotated

from .record import Doc, Record
from .variants import Port, Trap


@dataclass(frozen=True)
class SignatureRecord(Record):
    """A signature of a file."""

    key: str
    inputs: list[Port]
    outputs: list[Port]


@dataclass(frozen=True)
class OpUse(Record):
    """An operator under a version, and how often it is called."""

    name: str
    version: int
    count: Annotated[int, Doc("calls in every subgraph, branches and initialisers included")]
    first_subgraph: Annotated[int, Doc("of them, calls in the subgraph that runtimes start with")]
    delegated: Annotated[int | None, Doc("of those, calls that XNNPACK takes; null where that is not known")]


@dataclass(frozen=True)
class Delegation(Record):
    """What LiteRT's default delegate takes of the first subgraph."""

    runtime: Annotated[str, Doc("the runtime that was asked")]
    reason: Annotated[str, Doc("why it could not be asked; empty when it could")]
    n_delegated: Annotated[int | None, Doc("operators that the delegate takes; null where that is not known")]
    n_ops: Annotated[int, Doc("operators of the first subgraph")]
    partitions: Annotated[int | None, Doc("pieces that the delegate runs; null where that is not known")]


@dataclass(frozen=True)
class Refusal(Record):
    """Something that an accelerator does not take."""

    operator: Annotated[str | None, Doc("name of the operator; null where the accelerator tells only why")]
    reason: Annotated[str, Doc("in the accelerator's own words")]

    def __str__(self) -> str:
        return f"{self.operator}: {self.reason}" if self.operator else self.reason


@dataclass(frozen=True, kw_only=True)
class GpuPlan(Record):
    """What LiteRT's GPU accelerator takes of a file, as it says itself when it compiles it."""

    runtime: Annotated[str, Doc("the runtime that was asked")]
    target: Annotated[str, Doc("what the shaders were compiled for")]
    reason: Annotated[
        str, Doc("why nothing came out of it: refused, crashed, or too slow; '' where it was compiled")
    ] = ""
    n_ops: Annotated[int, Doc("operators of all subgraphs")]
    n_taken: Annotated[int | None, Doc("operators on the accelerator; null where it did not say")] = None
    n_left: Annotated[int | None, Doc("operators left on the CPU; null where it did not say")] = None
    refusals: Annotated[
        list[Refusal],
        Doc("what it does not take, each once; operators between them may be left too, since it takes whole parts"),
    ] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.reason:
            return f"does not compile it: {self.reason}"
        if self.n_left == 0:
            return f"takes all {self.n_ops} operators"
        if self.n_left is None:
            return "compiles it, and does not say what it takes"
        return f"takes {self.n_taken} of {self.n_ops} operators, and leaves {self.n_left} to the CPU"


@dataclass(frozen=True)
class Table(Record):
    """A constant of 1 KiB and more."""

    name: str
    shape: list[int]
    dtype: str
    bytes: Annotated[int, Doc("size of the constant", "bytes")]
    share: Annotated[float, Doc("of the file's size")]
    scales: Annotated[int, Doc("number of quantization scales: 0 none, 1 per tensor, more per channel or row")]
    subgraph: Annotated[int, Doc("0 for the subgraph that runtimes start with")] = 0


@dataclass(frozen=True)
class Inspection(Record):
    """A .tflite file of any origin."""

    schema: Annotated[str, Doc("name and version of the schema")]
    file: Annotated[str, Doc("name of the file; empty for bytes")]
    sha256: Annotated[str, Doc("of the file", "hex")]
    size_bytes: Annotated[int, Doc("size of the file", "bytes")]
    signatures: list[SignatureRecord]
    ops: list[OpUse]
    min_runtime: Annotated[
        str | None,
        Doc("minimum TensorFlow Lite release that knows every operator's version; null where one is in no list"),
    ]
    xnnpack: Delegation
    tables: list[Table]
    traps: Annotated[list[Trap], Doc("known ways in which a file that converts still fails an app")]
    inputs: Annotated[list[Port], Doc("of the first signature, or of the graph where there is none")] = field(
        default_factory=list
    )
    outputs: Annotated[list[Port], Doc("of the first signature, or of the graph where there is none")] = field(
        default_factory=list
    )
    gpu: Annotated[GpuPlan | None, Doc("what the GPU accelerator takes; null where nobody asked (`--gpu`)")] = None
