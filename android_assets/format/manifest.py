"""manifest.json: its fields with their types and ranges, checked before anything uses them. Unknown fields are let pass.

manifest.schema.json says the same as JSON Schema, for clients in other languages (schema.py writes it). Rules between fields are in
manifest_rules.py.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from ...core.records.history_weights import HistoryWeights
from ...core.records.record import Doc, Json, Record

BUNDLE_SCHEMA = "pocketrec.bundle/1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MANIFEST_LIMIT = 16 << 20
SIGNATURE_BYTES = 64
MOST_VERSION = 2**31 - 1
MOST_FILES = 4096
MOST_RESULTS = 65_536
MOST_WINDOW = 65_536
# Far inside float32, so that no client rounds such a number to zero or infinity.
LARGEST_NUMBER, SMALLEST_SCALE = 1e30, 1e-30

_END = r"$(?!\n)"  # Python's $ matches before a last line feed too

Sha256 = Annotated[str, Meta(pattern=f"^[0-9a-f]{{64}}{_END}")]
_Name = Annotated[str, Meta(pattern=f"^[A-Za-z0-9_]{{1,64}}{_END}")]
_Version = Annotated[str, Meta(pattern=f"^[A-Za-z0-9.+_-]{{1,64}}{_END}")]
_Path = Annotated[str, Meta(max_length=200)]
_Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_Number = Annotated[float, Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
_BundleVersion = Annotated[int, Meta(ge=1, le=MOST_VERSION)]

Role = Literal["model", "vocabulary", "items", "candidates", "golden"]
VocabularyName = Literal["items", "users", "preferences", "genres"]


@dataclass(frozen=True)
class BundledFile(Record):
    """A file of the bundle."""

    path: Annotated[_Path, Doc("relative, '/' between parts of ASCII letters, digits, '_', '-' and '.'")]
    role: Annotated[Role, Doc("what uses it")]
    sha256: Annotated[Sha256, Doc("of the file", "hex")]
    bytes: Annotated[int, Meta(ge=0, le=2**31 - 1), Doc("size of the file", "bytes")]


@dataclass(frozen=True)
class BundlePort(Record):
    """An input or output of a model."""

    name: _Name
    shape: Annotated[
        list[Annotated[int, Meta(ge=-1, le=2**31 - 1)]], Meta(max_length=8), Doc("-1 marks a free dimension")
    ]
    dtype: Literal["bool", "float16", "float32", "int16", "int32", "int64", "int8", "string", "uint8"]


@dataclass(frozen=True)
class BundledModel(Record):
    """A model, and what it was made for."""

    graph: Annotated[_Name, Doc("what it computes")]
    recipe: Annotated[_Name, Doc("how its weights are stored")]
    inputs: Annotated[list[BundlePort], Meta(max_length=64), Doc("of its signature")]
    outputs: Annotated[list[BundlePort], Meta(max_length=64), Doc("of its signature")]
    min_runtime: Annotated[_Version | None, Doc("minimum TensorFlow Lite release that knows every operator's version")]
    file: Annotated[_Path, Doc("path among `files`")]
    rows: Annotated[
        dict[VocabularyName, _Count], Doc("rows of its tables by vocabulary: the tokens, and one for unknown ones")
    ]


@dataclass(frozen=True)
class VocabularyFile(Record):
    """A vocabulary: one token per line; the id of a token is its line."""

    name: VocabularyName
    file: Annotated[_Path, Doc("path among `files`")]
    size: Annotated[int, Meta(ge=1, le=2**31 - 2), Doc("lines", "tokens")]
    oov_index: Annotated[int, Meta(ge=1, le=2**31 - 2), Doc("id of everything that is not in it: its size")]


@dataclass(frozen=True)
class CandidatesFile(Record):
    """The catalogue's vectors."""

    file: Annotated[_Path, Doc("path among `files`")]
    dtype: Literal["int8", "float32"]
    shape: Annotated[list[_Count], Meta(min_length=2, max_length=2), Doc("items, dimension")]
    scale: Annotated[
        Annotated[float, Meta(ge=SMALLEST_SCALE, le=LARGEST_NUMBER)] | None,
        Doc("a vector is codes · scale; null for float32"),
    ]


@dataclass(frozen=True)
class UpdateInfo(Record):
    """Where an update comes from."""

    base_version: Annotated[_BundleVersion, Doc("of the bundle it was made from")]
    from_base: Annotated[list[_Path], Meta(max_length=MOST_FILES), Doc("files that the base has already")]


@dataclass(frozen=True)
class Manifest(Record):
    """manifest.json."""

    schema: Annotated[Literal["pocketrec.bundle/1"], Doc("name and version of the schema")]
    kit_version: Annotated[_Version, Doc("version of the kit that wrote it")]
    name: Annotated[str, Meta(pattern=f"^[a-z0-9.-]{{1,300}}{_END}"), Doc("dataset and preset")]
    version: Annotated[_BundleVersion, Doc("rises with every release")]
    made_from_sha256: Annotated[Sha256, Doc("of the run's run.json", "hex")]
    layout: Annotated[str, Doc("how the models work together")]
    files: Annotated[
        list[BundledFile], Meta(max_length=MOST_FILES), Doc("every file but manifest and signature, by path")
    ]
    models: Annotated[list[BundledModel], Meta(max_length=MOST_FILES), Doc("one per graph of the layout")]
    vocabularies: Annotated[list[VocabularyFile], Meta(max_length=MOST_FILES), Doc("`items` and what the models need")]
    items: Annotated[_Path, Doc("file with id, title and genres of every item")]
    candidates: Annotated[CandidatesFile | None, Doc("null where the catalogue is inside a model")]
    window: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_WINDOW)] | None,
        Doc("length of a history; null for models keyed by user", "items"),
    ]
    rating_range: Annotated[
        list[_Number], Meta(min_length=2, max_length=2), Doc("lowest and highest rating of a history")
    ]
    stars_weight: Annotated[_Number | None, Doc("weight of a predicted rating in the order of lists; null: not used")]
    k: Annotated[int, Meta(ge=1, le=MOST_RESULTS), Doc("length of a list", "items")]
    golden: Annotated[_Path, Doc("file with golden vectors and queries")]
    parity: Annotated[
        list[Json], Meta(max_length=100_000), Doc("what parity found: cells with `status` pass or skipped, and metrics")
    ]
    contract: Annotated[Sha256, Doc("over everything that must fit together", "hex")]
    key_id: Annotated[
        Annotated[str, Meta(pattern=f"^[0-9a-f]{{16}}{_END}")] | None, Doc("of the key that signed it", "hex")
    ]
    signature: Annotated[Literal["manifest.sig"] | None, Doc("null where it is not signed")]
    update: Annotated[UpdateInfo | None, Doc("null where the bundle was written whole")]
    history_weights: Annotated[
        HistoryWeights | None,
        Doc(
            "how the query model weighs a history; null, or missing, where it takes no ratings or its weights are not known"
        ),
    ] = None

    def model(self, graph: str) -> BundledModel:
        """The model of a graph."""
        return next(model for model in self.models if model.graph == graph)

    @property
    def sizes(self) -> dict[str, int]:
        """Tokens by vocabulary."""
        return {row.name: row.size for row in self.vocabularies}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by path."""
        return {row.path: row.sha256 for row in self.files}

    @property
    def from_base(self) -> list[str]:
        """Paths of files that an update leaves to its base; none for a bundle that was written whole."""
        return [] if self.update is None else self.update.from_base
