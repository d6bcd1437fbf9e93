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
