"""The parity stage: every variant on every runtime against the stored reference."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..train.artifacts import PARITY_SCHEMA, Run, kit_version, sha256_file, write_json, write_npz
from ..train.errors import InputError, pick
from ..train.host import describe_host
from .compare import COMPARISONS, invalid_outputs
from .gates import Gate, read_gates
from .processes import run_variant, side_by_side
from .queries import HeldOut
from .reference import load_reference, reference_sha256
from .runtimes import RUNTIMES, chosen_runtimes
from .targets import TARGETS

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
    say: Callable[[str], None] = lambda text: None,
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
    names = chosen_runtimes(runtimes, places)
    limits = read_gates(gates)
    variants = run.variants_json["variants"]
    for variant in variants:
        check_unchanged(run, variant)
    data = HeldOut(run)
    checker = _Checker(
        run, data, load_reference(run, data, refresh=refresh_reference, say=say), limits, timeout_s, needed
    )
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
        "schema": PARITY_SCHEMA,
        "kit_version": kit_version(),
        "made_from_sha256": sha256_file(run.converted / "variants.json"),
        "reference_sha256": reference_sha256(run),
        "host": describe_host(),
        "results": results,
    }
    write_json(run.reports / "parity.json", document)
    return document


def check_unchanged(run: Run, variant: dict[str, Any]) -> Path:
    """The variant's file, if it is still the one that was converted.

    Raises:
        InputError: it is missing or has other bytes.
    """
    path = run.converted / variant["file"]
    if not path.is_file() or sha256_file(path) != variant["sha256"]:
        given = "no such file" if not path.is_file() else "other bytes"
        raise InputError(
            str(path), expected=f"sha256 {variant['sha256'][:12]}…", given=given, do="run `pocketrec convert RUN` again"
        )
    return path


class _Checker:
    def __init__(
        self, run: Run, data: HeldOut, reference: Any, limits: Mapping[Any, Gate], timeout_s: float, needed: list[str]
    ) -> None:
        self.run, self.data, self.reference, self.limits = run, data, reference, limits
        self.timeout_s, self.needed = timeout_s, needed

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
        if reason := invalid_outputs(graph, outcome.arrays, self.data):
            return _row("error", reason, gate=gate, n_queries=len(self.data.queries))
        metrics = COMPARISONS[graph].compare(outcome.arrays, self.reference, self.data)
        misses = gate.misses(metrics) if gate else [f"no gate for {graph}.{recipe}"]
        if metrics.get("seen_returned"):
            misses.append(f"{metrics['seen_returned']} items came back that were masked as seen")
        return _row("fail" if misses else "pass", "; ".join(misses), metrics, gate, len(self.data.queries))


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
    }


def failed(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that end `pocketrec parity` with exit status 1."""
    return [row for row in document["results"] if row["status"] in ("fail", "error")]
