"""The parity stage: every variant on every runtime against the stored reference."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.atomic import write_npz
from ...core.documents import PARITY_SCHEMA, document_head, write_json
from ...core.errors import pick
from ...core.hashing import sha256_bytes, sha256_file
from ...core.queries.held_out import HeldOut
from ...core.queries.packing import part
from ...core.run_dir import Run, check_unchanged
from ...runtimes.launch import run_variant, side_by_side
from ...runtimes.runtimes import RUNTIMES, chosen_runtimes, runtime_packages
from ...runtimes.targets import TARGETS
from .edge_gates import judge_edges
from .first_difference import first_difference
from .gates import Gate, read_gates
from .graph_comparisons import COMPARISONS, invalid_outputs
from .reference import load_reference, reference_sha256, references

_NO_METRICS = dict.fromkeys(
    ("max_abs_diff", "mean_abs_diff", "top_k_overlap", "top1_agreement", "kendall_tau", "quality_reference", "quality_variant",
     "quality_delta", "quality_metric")
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One square of the matrix: a variant on a runtime, with or without its delegate, on a processor."""

    variant: dict[str, Any]
    runtime: str
    target: str
    delegate: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "graph": self.variant["graph"],
            "recipe": self.variant["recipe"],
            "runtime": self.runtime,
            "target": self.target,
            "delegate": "xnnpack" if self.delegate else "none",
        }

    @property
    def label(self) -> str:
        """The stem of the file its raw outputs are kept in."""
        where = "" if self.target == "host" else f"@{self.target.replace('/', '-')}"
        return (
            f"{self.variant['graph']}-{self.variant['recipe']}@{self.runtime}{where}{'' if self.delegate else '@none'}"
        )


def check_parity(
    run: Run,
    *,
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    require: Iterable[str] = (),
    gates: Path | None = None,
    refresh_reference: bool = False,
    timeout_s: float = 120.0,
) -> dict[str, Any]:
    """Run every variant on every runtime and target, compare with the SavedModels, write reports/parity.json.

    Cells run side by side, as many as there are processors: nothing is timed. Raw outputs stay in reports/raw, so that a comparison
    can be made again without running.

    Args:
        targets: keys of `TARGETS`; `host` when empty.
        require: targets that must be there; a cell that something is missing for is an error on one of them. What a runtime
            can never take, such as text in a browser, stays skipped.

    Raises:
        InputError: unknown or missing runtime or target, a faulty gates file, variants missing or changed since conversion.
    """
    needed = [pick("--require", name, TARGETS) for name in require]
    places = list(dict.fromkeys([*(pick("--target", name, TARGETS) for name in targets), *needed])) or ["host"]
    names = chosen_runtimes(runtimes, places, RUNTIMES)
    limits = read_gates(gates)
    variants = run.variants_json["variants"]
    for variant in variants:
        check_unchanged(run, variant)
    data = HeldOut(run)
    answers = load_reference(run, data, refresh=refresh_reference)
    checker = _Checker(data, answers, limits, timeout_s, needed)
    cells = [
        Cell(variant, runtime, target, delegate)
        for variant in variants
        for runtime in names
        for target in places
        if RUNTIMES[runtime].runs_on(target)
        for delegate in ((True, False) if target == "host" and RUNTIMES[runtime].chooses_delegate else (True,))
    ]
    with side_by_side() as pool:
        results = list(pool.map(checker.row, cells))
    document = {
        **document_head(PARITY_SCHEMA, sha256_file(run.converted / "variants.json"), runtime_packages()),
        "reference_sha256": reference_sha256(run),
        "results": results,
    }
    write_json(run.reports / "parity.json", document)
    return document


class _Checker:
    def __init__(
        self,
        data: HeldOut,
        answers: Mapping[str, np.ndarray],
        limits: Mapping[Any, Gate],
        timeout_s: float,
        needed: list[str],
    ) -> None:
        self.run, self.data, self.limits = data.run, data, limits
        self.users, self.edges = references(answers, data)
        self.timeout_s, self.needed = timeout_s, needed
        self.known: dict[tuple[str, str, str], dict[str, Any]] = {}

    def row(self, cell: Cell) -> dict[str, Any]:
        """A row of parity.json."""
        return {**cell.to_json(), **self._judge(cell)}

    def _judge(self, cell: Cell) -> dict[str, Any]:
        graph, recipe = cell.variant["graph"], cell.variant["recipe"]
        gate = self.limits.get((graph, recipe))
        if reason := RUNTIMES[cell.runtime].refuses(cell.variant["inputs"]):
            return _row("skipped", reason, gate=gate)
        if reason := RUNTIMES[cell.runtime].missing() or TARGETS[cell.target].missing():
            return _row("error" if cell.target in self.needed else "skipped", reason, gate=gate)
        feeds = self.data.feeds(port["name"] for port in cell.variant["inputs"])
        outcome = run_variant(
            self.run.converted / cell.variant["file"], feeds, runtime=cell.runtime, target=cell.target,
            delegate=cell.delegate, timeout_s=self.timeout_s,
        )  # fmt: skip
        if not outcome:
            return _row("error", outcome.reason, gate=gate)
        write_npz(self.run.reports / "raw" / f"{cell.label}.npz", **outcome.arrays)
        # Runtimes and processors often agree to the last bit: what was judged is not judged again.
        key = (graph, recipe, _digest(outcome.arrays))
        if key not in self.known:
            self.known[key] = self._compare(graph, outcome.arrays, gate, f"no gate for {graph}.{recipe}")
        return self.known[key]

    def _compare(self, graph: str, arrays: Mapping[str, np.ndarray], gate: Gate | None, no_gate: str) -> dict[str, Any]:
        asked = len(self.data.queries)
        users, edges = part(arrays, 0, asked), part(arrays, asked)
        how = COMPARISONS[graph]
        if reason := invalid_outputs(graph, users, self.users) or invalid_outputs(graph, edges, self.edges):
            return _row("error", reason, gate=gate, n_queries=asked)
        metrics, answers = how.compare(users, self.users), how.beside(users, self.users)
        misses = gate.misses(metrics) if gate else [no_gate]
        if metrics.get("seen_returned"):
            misses.append(f"{metrics['seen_returned']} items came back that were masked as seen")
        judged = judge_edges(list(self.data.edges), how.beside(edges, self.edges), gate, answers.span)
        misses += [f"edge '{name}' {found['reason']}" for name, found in judged.items() if found["reason"]]
        row = _row("fail" if misses else "pass", "; ".join(misses), metrics, gate, asked)
        differing = first_difference(answers, self.data.queries, self.data, gate) if misses else None
        return {**row, "edges": judged, "first_difference": differing}


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    return sha256_bytes(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays)))


def _row(
    status: str, reason: str, metrics: dict[str, Any] | None = None, gate: Gate | None = None, n_queries: int = 0
) -> dict[str, Any]:
    tolerance = gate.to_json() if gate else {"reason": "none"}
    return {
        "status": status,
        "reason": reason,
        "n_queries": n_queries,
        "metrics": metrics or _NO_METRICS,
        "tolerance": tolerance,
        "edges": {},
        "first_difference": None,
    }


def failed(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that end `pocketrec parity` with exit status 1."""
    return [row for row in document["results"] if row["status"] in ("fail", "error")]
