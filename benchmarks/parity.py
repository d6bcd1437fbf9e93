"""The parity stage: every variant on every runtime against the stored reference."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..train.artifacts import PARITY_SCHEMA, Run, kit_version, sha256_file, write_json, write_npz
from ..train.errors import InputError, pick
from ..train.host import describe_host
from .compare import COMPARISONS, invalid_outputs
from .gates import Gate, read_gates
from .processes import run_variant
from .queries import HeldOut, feeds_for
from .reference import load_reference, reference_sha256
from .runtimes import RUNTIMES, chosen_runtimes
from .targets import TARGETS

_NO_METRICS = dict.fromkeys(
    ("max_abs_diff", "mean_abs_diff", "top_k_overlap", "top1_agreement", "kendall_tau", "quality_reference", "quality_variant",
     "quality_delta", "quality_metric")
)  # fmt: skip


def check_parity(
    run: Run,
    *,
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    gates: Path | None = None,
    refresh_reference: bool = False,
    timeout_s: float = 120.0,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run every variant on every runtime and target, compare with the SavedModels, write reports/parity.json.

    Raw outputs stay in reports/raw, so that a comparison can be made again without running.

    Raises:
        InputError: unknown or missing runtime or target, a faulty gates file, variants missing or changed since conversion.
    """
    names = chosen_runtimes(runtimes)
    places = [pick("--target", name, TARGETS) for name in targets] or ["host"]
    limits = read_gates(gates)
    variants = run.variants_json["variants"]
    for variant in variants:
        check_unchanged(run, variant)
    data = HeldOut(run)
    reference = load_reference(run, data, refresh=refresh_reference, say=say)
    results = []
    for variant in variants:
        gate = limits.get((variant["graph"], variant["recipe"]))
        feeds = feeds_for([port["name"] for port in variant["inputs"]], data.queries, data.catalogue)
        for runtime in names:
            for target in places:
                say(f"{variant['graph']} {variant['recipe']} on {runtime}")
                row = _check_one(run, variant, runtime, feeds, gate, reference, data, timeout_s)
                results.append(
                    {
                        "graph": variant["graph"],
                        "recipe": variant["recipe"],
                        "runtime": runtime,
                        "target": target,
                        **row,
                    }
                )
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


def _check_one(
    run: Run, variant: dict[str, Any], runtime: str, feeds: Any, gate: Gate | None, reference: Any, data: HeldOut, timeout_s: float
) -> dict[str, Any]:  # fmt: skip
    if reason := RUNTIMES[runtime].missing():
        return _row("skipped", reason, gate=gate)
    graph = variant["graph"]
    outcome = run_variant(run.converted / variant["file"], feeds, runtime=runtime, timeout_s=timeout_s)
    if not outcome:
        return _row("error", outcome.reason, gate=gate)
    write_npz(run.reports / "raw" / f"{graph}-{variant['recipe']}@{runtime}.npz", **outcome.arrays)
    if reason := invalid_outputs(graph, outcome.arrays, data):
        return _row("error", reason, gate=gate, n_queries=len(data.queries))
    metrics = COMPARISONS[graph].compare(outcome.arrays, reference, data)
    misses = gate.misses(metrics) if gate else [f"no gate for {graph}.{variant['recipe']}"]
    if metrics.get("seen_returned"):
        misses.append(f"{metrics['seen_returned']} items came back that were masked as seen")
    return _row("fail" if misses else "pass", "; ".join(misses), metrics, gate, len(data.queries))


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
