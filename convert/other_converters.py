"""What other converters make of the same graph. For comparison only: none of it enters RUN/converted."""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..core.queries.packing import queries_of
from ..core.run_dir import Run
from .graphs import GRAPHS, Options

if TYPE_CHECKING:
    from litert_quantizer.quantizer import QuantizationResult

Feeds: TypeAlias = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """A graph as anyone would export it: a SavedModel on disk with one signature, and its plain float32 file."""

    folder: Path
    signature: str
    float32: bytes


Converter: TypeAlias = Callable[[Source, Feeds], bytes]


@contextlib.contextmanager
def exported(run: Run, graph: str, k: int) -> Iterator[Source]:
    """A run's graph as a `Source`; for `ranker_strings` the Keras model's own signature, which is what tutorials export."""
    from .converter import SIGNATURE, convert_saved_model, save_function

    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        folder = Path(scratch)
        if GRAPHS[graph].exported_as:
            folder = run.saved_model(GRAPHS[graph].exported_as)
        else:
            save_function(*GRAPHS[graph].build(run, Options(k=k)), folder)
        yield Source(folder, SIGNATURE, convert_saved_model(folder, signature=SIGNATURE))


def _default(source: Source, feeds: Feeds) -> bytes:
    return source.float32


def _optimized(source: Source, feeds: Feeds) -> bytes:
    from .converter import convert_saved_model

    return convert_saved_model(source.folder, signature=source.signature, optimize=True)


def _quantizer(recipe: str, algorithm: str = "MIN_MAX_UNIFORM_QUANT") -> Converter:
    def quantize(source: Source, feeds: Feeds) -> bytes:
        from litert_quantizer import algorithm_manager, qtyping, quantizer
        from litert_quantizer import recipe as recipes

        algorithms = algorithm_manager.AlgorithmName
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            made_by = getattr(recipes, recipe)(algorithm_key=algorithms[algorithm])
            made = quantizer.Quantizer(bytearray(source.float32), made_by)
            if not made.need_calibration:
                return _model_of(made.quantize())
            # Float ports, as all the others have.
            for port in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
                made.update_quantization_recipe(".*", port, algorithm_key=algorithms.NO_QUANTIZE)
            calibration = made.calibrate({source.signature: list(_queries(feeds))})
            return _model_of(made.quantize(calibration))

    return quantize


def _model_of(result: "QuantizationResult") -> bytes:
    assert result.quantized_model is not None
    return bytes(result.quantized_model)


def _queries(feeds: Feeds) -> Iterator[dict[str, np.ndarray]]:
    """Every query's inputs, text as the interpreter takes it."""
    for query in queries_of(feeds):
        yield {name: value.astype(object) if value.dtype.kind == "S" else value for name, value in query.items()}


# Recipes of litert-quantizer. Its Hadamard rotations and OCTAV need NumPy 2, which tflite-runtime's wheel does not run on. Its
# blocks of 32 quantize no layer to int8 here, and to int4 only layers whose widths 32 divides.
_RECIPES = (
    "dynamic_wi8_afp32",
    "dynamic_wi4_afp32",
    "dynamic_wi2c_afp32",
    "weight_only_wi8_afp32",
    "weight_only_wi4_afp32",
    "static_wi8_ai8",
    "static_wi8_ai16",
)

OTHERS: dict[str, Converter] = {
    "TFLiteConverter": _default,
    "TFLiteConverter, Optimize.DEFAULT": _optimized,
    **{f"litert-quantizer {name}": _quantizer(name) for name in _RECIPES},
    "litert-quantizer dynamic_wi4_afp32, GPTQ": _quantizer("dynamic_wi4_afp32", "GPTQ"),
}
