"""What other ways of converting make of the same graph. For comparison only: none of it enters RUN/converted."""

import contextlib
import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.run_dir import Run
from .graphs import GRAPHS, Options

Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """A graph as anybody would export it: a SavedModel on disk with one signature, and its plain float32 file."""

    folder: Path
    signature: str
    float32: bytes


@contextlib.contextmanager
def exported(run: Run, graph: str, k: int) -> Any:
    """A run's graph as a `Source`; for `ranker_strings` the Keras model's own signature, which is what tutorials export."""
    from .converter import SIGNATURE, convert_saved_model, save_function

    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        folder = Path(scratch)
        if graph == "ranker_strings":
            folder = run.saved_model("ranking")
        else:
            save_function(*GRAPHS[graph].build(run, Options(k=k)), folder)
        yield Source(folder, SIGNATURE, convert_saved_model(folder, signature=SIGNATURE))


def _default(source: Source, feeds: Feeds) -> bytes:
    return source.float32


def _optimized(source: Source, feeds: Feeds) -> bytes:
    from .converter import convert_saved_model

    return convert_saved_model(source.folder, signature=source.signature, optimize=True)


def _quantizer(recipe: str) -> Callable[[Source, Feeds], bytes]:
    def quantize(source: Source, feeds: Feeds) -> bytes:
        from ai_edge_quantizer import algorithm_manager, qtyping, quantizer
        from ai_edge_quantizer import recipe as recipes

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            made = quantizer.Quantizer(bytearray(source.float32), getattr(recipes, recipe)())
            if not made.need_calibration:
                return _made(made.quantize())
            for port in (
                qtyping.TFLOperationName.INPUT,
                qtyping.TFLOperationName.OUTPUT,
            ):  # float ports, as all the others have
                made.update_quantization_recipe(".*", port, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE)
            calibration = made.calibrate({source.signature: list(_rows(feeds))})
            return _made(made.quantize(calibration))

    return quantize


def _made(result: Any) -> bytes:
    return bytes(result.quantized_model)


def _rows(feeds: Feeds) -> Any:
    names = [name for name in feeds if not name.endswith(".offsets")]
    offsets = {name: feeds.get(f"{name}.offsets") for name in names}
    first = offsets[names[0]]
    for row in range(len(feeds[names[0]]) if first is None else len(first) - 1):
        query = {}
        for name in names:
            cut = offsets[name]
            value = feeds[name][row] if cut is None else feeds[name][cut[row] : cut[row + 1]]
            query[name] = value.astype(object) if value.dtype.kind == "S" else value
        yield query


OTHERS: dict[str, Callable[[Source, Feeds], bytes]] = {
    "TFLiteConverter": _default,
    "TFLiteConverter, Optimize.DEFAULT": _optimized,
    **{
        f"ai-edge-quantizer {name}": _quantizer(name)
        for name in ("dynamic_wi8_afp32", "dynamic_wi4_afp32", "weight_only_wi8_afp32", "static_wi8_ai8")
    },
}
