"""Parity of a SavedModel and a .tflite file that this kit did not make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..convert.tflite_file import read_tflite
from ..train.artifacts import (
    PARITY_SCHEMA,
    kit_version,
    require_empty,
    sha256_bytes,
    sha256_file,
    sha256_tree,
    write_json,
    write_npz,
)
from ..train.errors import InputError
from ..train.host import describe_host
from .feeds import feeds_of_npz
from .gates import FOREIGN, read_gates
from .measures import kendall_tau, max_abs_diff, mean_abs_diff, mean_defined
from .processes import run_variant
from .runtimes import RUNTIMES, chosen_runtimes


def check_foreign(
    saved_model: Path, tflite: Path, inputs: Path, *, signature: str | None = None, runtimes: Any = (), out: Path | None = None,
    gates: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Compare a SavedModel's signature with a .tflite file on every query of an .npz; write parity.json and raw outputs to `out`.

    Raises:
        InputError: files that cannot be read or do not fit each other.
    """
    from ..convert.converter import choose_signature

    file, names = read_tflite(tflite), chosen_runtimes(runtimes)
    if out is not None:
        require_empty(out)
    gate = read_gates(gates).get(FOREIGN)
    if gate is None:
        raise InputError("--gates", expected="a table [foreign.any]", given="none", do="add it, or leave --gates out")
    feeds = feeds_of_npz(inputs, file.ports()[0], "--inputs")
    chosen, loaded = choose_signature(saved_model, signature)
    reference = _ask(loaded, feeds)
    results = []
    for runtime in names:
        row = {"graph": chosen, "recipe": tflite.stem, "runtime": runtime, "target": "host"}
        if reason := RUNTIMES[runtime].missing():
            results.append(
                {
                    **row,
                    "status": "skipped",
                    "reason": reason,
                    "n_queries": 0,
                    "metrics": {},
                    "tolerance": gate.to_json(),
                }
            )
            continue
        outcome = run_variant(tflite, feeds, runtime=runtime)
        results.append({**row, **_judge(outcome.reason, outcome.arrays, reference, gate)})
        if out is not None and outcome:
            write_npz(out / "raw" / f"{runtime}.npz", **outcome.arrays)
    document = {
        "schema": PARITY_SCHEMA, "kit_version": kit_version(),
        "made_from_sha256": sha256_bytes((sha256_tree(saved_model) + sha256_file(tflite) + sha256_file(inputs)).encode()),
        "host": describe_host(), "results": results,
    }  # fmt: skip
    if out is not None:
        write_json(out / "parity.json", document)
    return document


def _ask(signature: Any, feeds: Mapping[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    from ..train.savedmodels import call_signature

    answers: dict[str, list[np.ndarray]] = {}
    expected = signature.specs
    if set(expected) != set(feeds):
        raise InputError(
            "--inputs",
            expected=f"arrays named {sorted(expected)}",
            given=sorted(feeds),
            do="choose another --signature",
        )
    for row in range(len(next(iter(feeds.values())))):
        query = {
            name: values[row].astype(object) if values.dtype.kind == "S" else values[row]
            for name, values in feeds.items()
        }
        for name, value in call_signature(signature, query).items():
            answers.setdefault(name, []).append(value)
    return answers


def _judge(
    reason: str, outputs: Mapping[str, np.ndarray], reference: Mapping[str, list[np.ndarray]], gate: Any
) -> dict[str, Any]:
    blank = {"n_queries": len(next(iter(reference.values()))), "metrics": {}, "tolerance": gate.to_json()}
    if reason:
        return {"status": "error", "reason": reason, **blank}
    if unmatched := set(reference) ^ {name for name in outputs if not name.endswith(".offsets")}:
        return {"status": "error", "reason": f"outputs differ: {sorted(unmatched)} are on one side only", **blank}
    numeric = {
        name: np.concatenate([v.reshape(-1) for v in rows])
        for name, rows in reference.items()
        if rows[0].dtype.kind in "fiub"
    }
    got = {name: outputs[name].reshape(-1) for name in numeric}
    for name in numeric:
        if numeric[name].shape != got[name].shape:
            return {
                "status": "error",
                "reason": f"output {name}: {numeric[name].size} values expected, {got[name].size} given",
                **blank,
            }
        if not np.isfinite(got[name]).all():
            return {"status": "error", "reason": f"output {name} holds NaN or infinity", **blank}
    spans = {name: float(np.ptp(values)) or 1.0 for name, values in numeric.items()}
    metrics = {
        "max_abs_diff": max(max_abs_diff(numeric[name], got[name]) for name in numeric),
        "mean_abs_diff": max(mean_abs_diff(numeric[name], got[name]) for name in numeric),
        "max_diff_of_range": max(max_abs_diff(numeric[name], got[name]) / spans[name] for name in numeric),
        "kendall_tau": mean_defined([kendall_tau(numeric[name], got[name]) for name in numeric]),
        **dict.fromkeys(
            (
                "top_k_overlap",
                "top1_agreement",
                "quality_reference",
                "quality_variant",
                "quality_delta",
                "quality_metric",
            )
        ),
    }
    misses = gate.misses(metrics)
    return {**blank, "status": "fail" if misses else "pass", "reason": "; ".join(misses), "metrics": metrics}
