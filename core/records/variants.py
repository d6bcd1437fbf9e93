"""variants.json: the .tflite files that a run or a SavedModel was converted to."""

from dataclasses import dataclass
from typing import Annotated

from .record import Doc, Json, Record


@dataclass(frozen=True)
class Port(Record):
    """An input or output of a model."""

    name: str
    shape: Annotated[list[int], Doc("-1 marks a free dimension")]
    dtype: str


@dataclass(frozen=True)
class OpCount(Record):
    """An operator under a version, and how often it is called."""

    name: str
    version: int
    count: int


@dataclass(frozen=True)
class Trap(Record):
    """A known way in which a file that converts still fails an app."""

    trap: str
    where: str


@dataclass(frozen=True)
class Variant(Record):
    """A graph under a recipe: one .tflite file."""

    graph: Annotated[str, Doc("what it computes")]
    recipe: Annotated[str, Doc("how its weights are stored")]
    form: Annotated[str | None, Doc("retrievers: how they search; null for other graphs")]
    settings: Annotated[
        Json | None,
        Doc(
            "of the form: `block_size`; `n_cells`, `cell_size`, `cells_read`; {} for full scans, null for other graphs"
        ),
    ]
    file: Annotated[str, Doc("name in the folder of variants.json")]
    size_bytes: Annotated[int, Doc("size of the file", "bytes")]
    sha256: Annotated[str, Doc("of the file", "hex")]
    source_sha256: Annotated[str, Doc("of the SavedModels it was made from", "hex")]
    inputs: Annotated[list[Port], Doc("of its signature `serving_default`")]
    outputs: Annotated[list[Port], Doc("of its signature `serving_default`")]
    ops: Annotated[list[OpCount], Doc("distinct operators")]
    min_runtime: Annotated[
        str | None,
        Doc("minimum TensorFlow Lite release that knows every operator's version; null where one is in no list"),
    ]
    runs_on: Annotated[list[str], Doc("installed runtimes that executed it before it was written")]
    refusals: Annotated[
        list[str], Doc("runtimes that did not execute it, and why; for a run's own graphs always empty")
    ]
    table_bytes: Annotated[
        dict[str, int],
        Doc("dtype to bytes held by constants of 1 KiB and more; bytes that two tensors read count once", "bytes"),
    ]
    traps: Annotated[list[Trap], Doc("as `inspect` finds them")]

    @property
    def results_per_call(self) -> int | None:
        """How many ids a retriever returns; None for what returns none."""
        return next((port.shape[0] for port in self.outputs if port.name == "ids"), None)


@dataclass(frozen=True)
class VariantsRecord(Record):
    """variants.json: what a run or a SavedModel was converted to."""

    schema: Annotated[str, Doc("name and version of the schema")]
    kit_version: Annotated[str, Doc("version of the kit that wrote the file")]
    made_from_sha256: Annotated[str, Doc("of the run.json, or over the files of the SavedModel", "hex")]
    host: Annotated[Json, Doc("see `host`")]
    variants: list[Variant]

    @property
    def unusable(self) -> list[Variant]:
        """Files that every runtime they were tried on refused."""
        return [variant for variant in self.variants if variant.refusals and not variant.runs_on]
