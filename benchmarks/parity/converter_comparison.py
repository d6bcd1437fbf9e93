"""Our variants next to what other converters make of the same graphs, on the same held-out users and runtimes."""

import logging
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...convert.other_converters import OTHERS, exported
from ...convert.quantize.recipes import coarsest_recipe
from ...core.documents import COMPARISON_SCHEMA, document_head, write_json
from ...core.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.queries.model_inputs import feeds_for
from ...core.queries.packing import part
from ...core.run_dir import Run, results_a_call
from ...runtimes.launch import run_variant
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.runtimes import PHONE_RUNTIMES, RUNTIMES, runtime_packages
from .gates import Gate, read_gates
from .graph_comparisons import COMPARISONS, invalid_outputs
from .reference import Reference, load_reference, references

log = logging.getLogger(__name__)

OURS = "pocketrec"
# Queries that other converters calibrate on.
_CALIBRATED = 200


def compare_converters(run: Run, *, graphs: Iterable[str] = ()) -> dict[str, Any]:
    """Ask every variant, and every other converter's file of the same graph, all held-out queries; write reports/comparison.json.

    Args:
        graphs: those to compare; all that were converted when empty.

    Raises:
        InputError: nothing was converted yet.
    """
    variants = run.variants_json["variants"]
    data, gates = HeldOut(run), read_gates()
    reference, _ = references(load_reference(run, data), data)
    rows: list[dict[str, Any]] = []
    for graph in list(graphs) or dict.fromkeys(variant["graph"] for variant in variants):
        judge = _Judge(graph, data, reference, gates[graph, coarsest_recipe()])
        ours = [variant for variant in variants if variant["graph"] == graph]
        for made_by, file in _others(run, graph, results_a_call(ours[0]) or 1, data):
            rows.append({"graph": graph, "made_by": made_by, "recipe": None, **judge.row(file)})
        for variant in ours:
            row = judge.row(run.converted / variant["file"])
            rows.append({"graph": graph, "made_by": OURS, "recipe": variant["recipe"], **row})
    document = {
        **document_head(COMPARISON_SCHEMA, sha256_file(run.converted / "variants.json"), runtime_packages()),
        "n_queries": len(data.queries),
        "results": rows,
    }
    write_json(run.reports / "comparison.json", document)
    return document


def _others(run: Run, graph: str, k: int, data: HeldOut) -> Iterable[tuple[str, Path | str]]:
    """Each other converter's file of a graph, or why it made none."""
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch, exported(run, graph, k) as source:
        path = Path(scratch) / "other.tflite"
        path.write_bytes(source.float32)
        names = [port["name"] for port in read_tflite(path).ports()[0]]
        feeds = feeds_for(names, data.representative[:_CALIBRATED], data.catalogue)
        for name, convert in OTHERS.items():
            log.info(f"{graph} by {name}")
            try:
                path.write_bytes(convert(source, feeds))
            except Exception as error:  # whatever another tool raises is its result here
                yield name, f"makes no file: {str(error).strip().splitlines()[-1][:160]}"
                continue
            yield name, path


class _Judge:
    def __init__(self, graph: str, data: HeldOut, reference: Reference, loosest: Gate) -> None:
        self.graph, self.data, self.reference, self.loosest = graph, data, reference, loosest

    def row(self, file: Path | str) -> dict[str, Any]:
        """What a file is and answers: bytes, float table bytes, and by runtime a status with its reason and metrics."""
        if isinstance(file, str):
            blank = {"size_bytes": None, "float_table_bytes": None, "min_runtime": None}
            return {
                **blank,
                "runtimes": {name: {"status": "none", "reason": file, "metrics": None} for name in PHONE_RUNTIMES},
            }
        parsed = read_tflite(file)
        feeds = self.data.feeds(port["name"] for port in parsed.ports()[0])
        return {
            "size_bytes": parsed.size_bytes,
            "float_table_bytes": sum(t.n_bytes for t in parsed.tables() if t.dtype == "float32" and len(t.shape) > 1),
            "min_runtime": parsed.min_runtime,
            "runtimes": {name: self._on(name, file, feeds) for name in PHONE_RUNTIMES},
        }

    def _on(self, runtime: str, file: Path, feeds: Mapping[str, np.ndarray]) -> dict[str, Any]:
        if reason := RUNTIMES[runtime].missing():
            return {"status": "skipped", "reason": reason, "metrics": None}
        outcome = run_variant(file, feeds, runtime=runtime)
        arrays = part(outcome.arrays, 0, len(self.data.queries)) if outcome else {}
        reason = outcome.reason or invalid_outputs(self.graph, arrays, self.reference)
        if reason:
            return {"status": "fails", "reason": reason, "metrics": None}
        metrics = COMPARISONS[self.graph].compare(arrays, self.reference)
        misses = self.loosest.misses(metrics)
        return {"status": "wrong" if misses else "right", "reason": "; ".join(misses), "metrics": metrics}
