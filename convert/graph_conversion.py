"""One graph under several recipes: its float32 model, the file of each recipe, and the rows of variants.json."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

from ..core.files.hashing import sha256_bytes, sha256_tree
from ..core.records.record import Json
from ..core.records.variants import OpCount, Port, Trap, Variant
from ..core.run_dir import Run
from ..runtimes.inspection import FLOAT_TABLE, find_traps, float_table_trap
from ..runtimes.model_file.reader import parse_tflite
from ..runtimes.model_file.vocabulary_stamp import known_by, read_files, vocabulary_text
from ..runtimes.probing import execute, try_out
from .flatbuffer.vocabulary_stamp import stamped
from .graphs import GRAPHS, Options
from .quantize.quantizer import Quantizer, left_in_float32
from .quantize.recipes import RECIPES
from .representative import Representative
from .retrieval.strategy import ENCODER, FULL_SCAN, RECIPE, build_retriever


class Built(NamedTuple):
    """A variant's bytes and, for retrievers, how it searches."""

    data: bytes
    form: str | None = None
    settings: Json | None = None


@dataclass
class GraphConversion:
    """A graph of any origin.

    Attributes:
        name: the graph, or the signature of a foreign model; files are `<name>-<recipe>.tflite`.
        source_sha256: hex SHA-256 of what it is converted from.
        convert: gives the converter's float32 bytes; called once, and only when a recipe needs them.
        representative: representative inputs by the model's ports; None where there are none.
    """

    name: str
    source_sha256: str
    convert: Callable[[], bytes]
    representative: Representative | None = None

    @cached_property
    def quantizer(self) -> Quantizer:
        """The float32 model with its representative inputs."""
        data = self.convert()
        feeds = self.representative(parse_tflite(data).ports()[0]) if self.representative else None
        return Quantizer(data, feeds)

    def build(self, recipe: str) -> Built:
        """The variant under a recipe."""
        return Built(self.quantizer.quantize(recipe, "--recipe"))

    def write(self, recipe: str, folder: Path) -> Variant:
        """Write the variant's file, try it out, and describe it."""
        built = self.build(recipe)
        path = folder / f"{self.name}-{recipe}.tflite"
        path.write_bytes(built.data)
        file = parse_tflite(built.data, path.name)
        inputs, outputs = file.ports()
        feeds = self.representative(inputs) if self.representative else None
        tried = try_out(built.data, feeds)
        return Variant(
            graph=self.name,
            recipe=recipe,
            form=built.form,
            settings=built.settings,
            file=path.name,
            size_bytes=file.size_bytes,
            sha256=sha256_bytes(built.data),
            source_sha256=self.source_sha256,
            inputs=[Port(**port) for port in inputs],
            outputs=[Port(**port) for port in outputs],
            ops=[OpCount(**row) for row in file.op_counts()],
            min_runtime=file.min_runtime,
            runs_on=[name for name, reason in tried.items() if not reason],
            refusals=[f"{name}: {reason}" for name, reason in tried.items() if reason],
            table_bytes=dict(file.table_bytes()),
            traps=_traps(built.data, recipe),
        )


def _traps(data: bytes, recipe: str) -> list[Trap]:
    """The file's traps; a float32 table is one where the recipe promises to store it in fewer bits, and only there."""
    file = parse_tflite(data)
    others = [trap for trap in find_traps(file) if trap.trap != FLOAT_TABLE]
    return [*others, *(float_table_trap(tensor) for tensor in left_in_float32(file, RECIPES[recipe]))]


@dataclass
class RunGraphConversion(GraphConversion):
    """A graph of a run: its files name the vocabularies that their ids come from."""

    run: Run = field(kw_only=True)
    options: Options = field(kw_only=True)

    @classmethod
    def of(cls, run: Run, graph: str, options: Options, representative: Representative) -> Self:
        """The conversion of one of a run's graphs."""
        sources = [sha256_tree(run.saved_model(name)) for name in GRAPHS[graph].saved_models]
        made_from = sha256_bytes("\n".join(sources).encode())
        return cls(graph, made_from, lambda: float32_of(run, graph, options), representative, run=run, options=options)

    def build(self, recipe: str) -> Built:
        return self._stamped(super().build(recipe))

    def _stamped(self, built: Built) -> Built:
        inputs, outputs = parse_tflite(built.data).ports()
        names = known_by([*inputs, *outputs])
        if not names:
            return built
        text = vocabulary_text(read_files(self.run.trained / "vocabularies", names))
        return built._replace(data=stamped(built.data, text))


@dataclass
class RetrieverConversion(RunGraphConversion):
    """A run's retriever: under one recipe it searches in a form that the kit builds itself, behind the query encoder."""

    search: str = field(default=FULL_SCAN, kw_only=True)

    def build(self, recipe: str) -> Built:
        if recipe != RECIPE or self.search == FULL_SCAN:
            return super().build(recipe)._replace(form=FULL_SCAN, settings={})
        return self._stamped(self._built_search())

    def _built_search(self) -> Built:
        assert self.representative is not None
        encoder = RunGraphConversion.of(self.run, ENCODER, self.options, self.representative).quantizer
        data = encoder.quantize(RECIPE)
        queries = execute(data, self.representative(encoder.ports[0]))["query"]
        masked = self.representative([{"name": "seen", "shape": [-1], "dtype": "bool"}])["seen"]
        queries = queries.reshape(len(masked), -1)
        return Built(*build_retriever(self.run, self.search, self.options.k, data, queries, masked))


def float32_of(run: Run, graph: str, options: Options) -> bytes:
    """The converter's float32 file of a run's graph."""
    from .converter import convert_function

    return convert_function(*GRAPHS[graph].build(run, options))
