"""Our variants next to what other converters make of the same graphs, on the same held-out users and runtimes."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...convert.other_converters import OTHERS, exported
from ...convert.quantize.recipes import coarsest_recipe
from ...core.documents import COMPARISON_SCHEMA, document_head, write_json
from ...core.files.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.queries.model_inputs import feeds_for
from ...core.records.comparison import ComparedFile, ComparisonRecord, FileStatus, RanOn
from ...core.records.parity import Status
from ...core.run_dir import Run
from ...runtimes.launch import Outcome, run_variant
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.runtimes import PHONE_RUNTIMES, runtime_packages
from .judging.gates import Gate, read_gates
from .judging.graph_comparisons import GraphExpected
from .judging.judge import Cell, judge, unavailable
from .reference import load_reference, references

log = logging.getLogger(__name__)

OURS = "pocketrec"
# Queries that other converters calibrate on.
_CALIBRATED = 200
# What the statuses of a parity row are called here, where no file claims to be a variant of the kit.
_STATUS: dict[Status, FileStatus] = {"pass": "right", "fail": "wrong", "error": "fails", "skipped": "skipped"}


def compare_converters(run: Run, *, graphs: Iterable[str] = ()) -> ComparisonRecord:
    """Run every variant, and every other converter's file of the same graph, on all held-out queries; write
    reports/comparison.json.

    Args:
        run: a run with variants.
        graphs: those to compare; all that were converted when empty.

    Returns:
        The document.

    Raises:
        InputError: nothing was converted yet.
    """
    variants, data, gates = run.variants, HeldOut(run), read_gates()
    reference, _ = references(load_reference(run, data), data)
    rows: list[ComparedFile] = []
    for graph in list(graphs) or dict.fromkeys(variant.graph for variant in variants):
        gate = gates.find(graph, coarsest_recipe(), is_implicit=data.is_implicit)
        judged = _JudgedGraph(GraphExpected(graph, reference), data, gate)
        ours = [variant for variant in variants if variant.graph == graph]
        for made_by, file in _others(run, graph, ours[0].results_per_call or 1, data):
            rows.append(judged.row(file, made_by))
        for variant in ours:
            rows.append(judged.row(run.converted / variant.file, OURS, variant.recipe))
    record = ComparisonRecord(
        **document_head(COMPARISON_SCHEMA, sha256_file(run.converted / "variants.json"), runtime_packages()),
        n_queries=len(data.queries),
        results=rows,
    )
    write_json(run.reports / "comparison.json", record.to_json())
    return record


def _others(run: Run, graph: str, k: int, data: HeldOut) -> Iterator[tuple[str, Path | str]]:
    """Each other converter's file of a graph, or why it made none."""
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch, exported(run, graph, k) as source:
        path = Path(scratch) / "other.tflite"
        path.write_bytes(source.float32)
        names = [port["name"] for port in read_tflite(path).ports()[0]]
        feeds = feeds_for(names, data.representative[:_CALIBRATED], data.catalogue)
        for name, convert in OTHERS.items():
            log.info("%s by %s", graph, name)
            try:
                path.write_bytes(convert(source, feeds))
            except Exception as error:  # whatever another tool raises is its result here
                yield name, f"makes no file: {str(error).strip().splitlines()[-1][:160]}"
                continue
            yield name, path


@dataclass(frozen=True)
class _JudgedGraph:
    """What every file of a graph is judged by: edge cases are left out, and the gate of our coarsest recipe holds."""

    expected: GraphExpected
    data: HeldOut
    gate: Gate | None

    def row(self, file: Path | str, made_by: str, recipe: str | None = None) -> ComparedFile:
        """A file's size and bytes of float32 tables, and how it did on each runtime.

        Args:
            file: a .tflite file, or why there is none.
            made_by: the converter.
            recipe: of ours.
        """
        graph = self.expected.graph
        if isinstance(file, str):
            runtimes = dict.fromkeys(PHONE_RUNTIMES, RanOn("none", file, None))
            return ComparedFile(graph, made_by, recipe, None, None, None, runtimes)
        parsed = read_tflite(file)
        names = tuple(port["name"] for port in parsed.ports()[0])
        return ComparedFile(
            graph,
            made_by,
            recipe,
            size_bytes=parsed.size_bytes,
            float_table_bytes=sum(t.n_bytes for t in parsed.tables() if t.dtype == "float32" and len(t.shape) > 1),
            min_runtime=parsed.min_runtime,
            runtimes={runtime: self._on(runtime, file, names) for runtime in PHONE_RUNTIMES},
        )

    def _on(self, runtime: str, file: Path, inputs: tuple[str, ...]) -> RanOn:
        cell = Cell(self.expected.graph, file.stem, runtime)
        row = unavailable(cell, self.gate) or judge(
            cell, self._outcome(runtime, file, inputs), self.expected, self.gate
        )
        return RanOn(_STATUS[row.status], row.reason, row.metrics if row.status in ("pass", "fail") else None)

    def _outcome(self, runtime: str, file: Path, inputs: tuple[str, ...]) -> Outcome:
        return run_variant(file, self.data.feeds(inputs), runtime=runtime)
