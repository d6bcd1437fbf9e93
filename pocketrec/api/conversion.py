"""Conversion to .tflite files, quantization of any .tflite file, and what is inside one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ..core.records.comparison import ComparisonRecord
from ..core.records.inspection import Inspection
from ..core.records.record import Json
from ..core.records.variants import Variant, VariantsRecord
from ..core.run_dir import Run
from .arguments import StrPath, as_run
from .rules import checked

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Conversion(Sequence[Variant]):
    """The variants that a conversion wrote, as a sequence.

    Attributes:
        folder: Directory of the .tflite files and variants.json.
        record: variants.json.
    """

    folder: Path
    record: VariantsRecord

    @property
    def variants(self) -> list[Variant]:
        """One record per file."""
        return self.record.variants

    @property
    def unusable(self) -> list[Variant]:
        """Files that every runtime they were tried on refused; only a SavedModel of another origin can have any."""
        return self.record.unusable

    @overload
    def __getitem__(self, index: int) -> Variant: ...
    @overload
    def __getitem__(self, index: slice) -> list[Variant]: ...
    def __getitem__(self, index: int | slice) -> Variant | list[Variant]:
        return self.variants[index]

    def __len__(self) -> int:
        return len(self.variants)

    def __iter__(self) -> Iterator[Variant]:
        return iter(self.variants)

    def to_json(self) -> Json:
        """The document written to variants.json."""
        return self.record.to_json()


@dataclass(frozen=True)
class Comparison:
    """A run's files next to what other converters make of the same graphs.

    Attributes:
        record: reports/comparison.json.
    """

    record: ComparisonRecord

    def to_json(self) -> Json:
        """The document written to comparison.json."""
        return self.record.to_json()


@checked
def convert(
    run: StrPath | Run | None = None,
    *,
    graphs: Iterable[str] = (),
    recipes: Iterable[str] = (),
    k: int | None = None,
    form: str | None = None,
    saved_model: StrPath | None = None,
    signature: str | None = None,
    representative: StrPath | None = None,
    allow_select_tf_ops: bool = False,
    out: StrPath | None = None,
) -> Conversion:
    """Convert a run, or any SavedModel, to .tflite files that run on the runtimes that apps ship.

    A run's files go to `run`/converted. For a SavedModel of another origin pass `saved_model` and `out` in place of `run`.

    Args:
        run: A run, or its directory.
        graphs: For a run: graphs to convert (`pr.names("graphs")`); all that its preset has when empty.
        recipes: How weights are stored (`pr.names("recipes")`); all when empty.
        k: For a run: results of the retriever; 100, or the size of a smaller catalogue, when None.
        form: For a run: how the `dynamic_int8` retriever searches (`pr.names("forms")`); by the catalogue's size when None.
        saved_model: A SavedModel that this kit did not train.
        signature: The SavedModel's signature; its first when None.
        representative: An .npz of real inputs of the SavedModel, which `static_int8` and `int16x8` need.
        allow_select_tf_ops: Let the SavedModel's files need TensorFlow's own ops.
        out: Where the SavedModel's files go.

    Returns:
        The variants written.

    Raises:
        InputError: Arguments that are wrong or do not go together.
        CheckFailed: A file is not what its recipe promises, or a runtime that apps ship does not run it.
    """
    from ..convert import stage

    if saved_model is not None and out is not None:
        record = stage.convert_foreign(
            saved_model,
            out,
            representative=representative,
            signature=signature,
            recipes=recipes,
            allow_select_tf_ops=allow_select_tf_ops,
        )
        return Conversion(Path(out), record)
    assert run is not None  # the rules of `convert` say so
    opened = as_run(run)
    record = stage.convert_run(opened, graphs=graphs, recipes=recipes, k=k, form=form)
    return Conversion(opened.converted, record)


def compare(run: StrPath | Run) -> Comparison:
    """Compare a run's converted files with what other converters make of the same graphs (`pocketrec convert RUN --compare`).

    Args:
        run: A converted run, or its directory.

    Raises:
        InputError: The run was not converted, or a converter is not installed.
    """
    from ..benchmarks.parity.converter_comparison import compare_converters

    return Comparison(compare_converters(as_run(run)))


def quantize(model: bytes, recipe: str, *, calibration: "Mapping[str, np.ndarray] | None" = None) -> bytes:
    """Store the weights of a float32 .tflite model as a recipe says.

    Args:
        model: A .tflite flatbuffer as a converter writes it without optimizations.
        recipe: A key of `pr.names("recipes")`.
        calibration: Representative inputs by name, axis 0 the queries: an array of the input's own rank is fed one row per
            query (a batch of one), an array of one rank more one entry per query. `static_int8` and `int16x8` need it; it
            makes the other recipes round better.

    Returns:
        The quantized flatbuffer. The same arguments give the same bytes.

    Raises:
        InputError: `model` is no .tflite flatbuffer, an unknown recipe, calibration that is missing or does not fit.
    """
    from ..convert.quantize import quantizer

    return quantizer.quantize(model, recipe, calibration=calibration)


def inspect(model: StrPath | bytes, *, gpu: bool = False) -> Inspection:
    """Describe a .tflite file: signatures, operators and versions, tables, minimum runtime, traps.

    Args:
        model: A path, or the file's bytes.
        gpu: Have LiteRT's GPU accelerator compile it, too, in a process of its own, and say what it takes.

    Returns:
        What is inside; `to_json()` is the document that `pocketrec inspect --json` prints.

    Raises:
        InputError: It is no readable .tflite file; with `gpu`, no GPU accelerator is installed, or no driver for it.
    """
    from ..runtimes.inspection import inspect_model

    return inspect_model(model, gpu=gpu)
