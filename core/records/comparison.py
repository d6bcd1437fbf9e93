"""comparison.json: a run's variants next to what other converters make of the same graphs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from .agreement import Agreement
from .record import Doc, Json, Record

FileStatus = Literal["right", "wrong", "fails", "none", "skipped"]


@dataclass(frozen=True)
class RanOn(Record):
    """How a file did on a runtime."""

    status: Annotated[
        FileStatus,
        Doc(
            "`wrong`: misses even the gate of `int4_rows`; `fails`: rejected or crashed; `none`: no file; "
            "`skipped`: not installed"
        ),
    ]
    reason: Annotated[str, Doc("why it is not `right`; '' otherwise")]
    metrics: Annotated[Agreement | None, Doc("as in parity.json; null where nothing was compared")]


@dataclass(frozen=True)
class ComparedFile(Record):
    """A graph as one converter makes it."""

    graph: Annotated[str, Doc("what the file computes")]
    made_by: Annotated[str, Doc("`pocketrec`, or another converter")]
    recipe: Annotated[str | None, Doc("of `pocketrec`; null for another converter")]
    size_bytes: Annotated[int | None, Doc("size of the file; null where none was made", "bytes")]
    float_table_bytes: Annotated[
        int | None, Doc("of float32 constants with two dimensions and at least 1 KiB; null without a file", "bytes")
    ]
    min_runtime: Annotated[str | None, Doc("as in variants.json")]
    runtimes: Annotated[dict[str, RanOn], Doc("runtime to how the file did on it")]

    @property
    def converter(self) -> str:
        """A converter, and its recipe where it has several."""
        return " ".join(filter(None, (self.made_by, self.recipe)))


@dataclass(frozen=True)
class ComparisonRecord(Record):
    """comparison.json."""

    schema: Annotated[str, Doc("name and version of the schema")]
    kit_version: Annotated[str, Doc("version of the kit that wrote the file")]
    made_from_sha256: Annotated[str, Doc("of variants.json", "hex")]
    host: Annotated[Json, Doc("see `host`")]
    n_queries: Annotated[int, Doc("held-out users queried")]
    results: list[ComparedFile]
