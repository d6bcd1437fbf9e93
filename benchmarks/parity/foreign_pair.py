"""Parity of a SavedModel and a .tflite file that this kit did not make."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.atomic import require_empty, write_npz
from ...core.documents import PARITY_SCHEMA, document_head, write_json
from ...core.errors import InputError
from ...core.hashing import sha256_bytes, sha256_file, sha256_tree
from ...core.queries.packing import rows_of
from ...runtimes.launch import run_variant
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.npz_inputs import feeds_of_npz
from ...runtimes.runtimes import RUNTIMES, chosen_runtimes, runtime_packages
from .agreement import kendall_tau, max_abs_diff, mean_abs_diff, mean_defined
from .first_difference import both_lists
from .gates import FOREIGN, Gate, read_gates
from .outputs import Lists, Ratings, lists_of, ratings_of

# Names of outputs that rank, where --scores names none.
_SCORES = ("scores", "score")
_UNKNOWN = (
    "top_k_overlap",
    "top1_agreement",
    "quality_reference",
    "quality_variant",
    "quality_delta",
    "quality_metric",
)


def check_foreign(
    saved_model: Path, tflite: Path, inputs: Path, *, signature: str | None = None, runtimes: Any = (), out: Path | None = None,
    gates: Path | None = None, scores: str | None = None, timeout_s: float = 120.0,
) -> dict[str, Any]:  # fmt: skip
    """Compare a SavedModel's signature with a .tflite file on every query of an .npz; write parity.json and raw outputs to `out`.

    Args:
        scores: output that ranks. With an output of ids beside it (`ids`, or the one of whole numbers and the same shape) lists
            are compared, otherwise the order of its values; where none is named, an output called scores or score.

    Raises:
        InputError: files that cannot be read or do not fit each other, or no such output.
    """
    from ...convert.converter import choose_signature

    file, names = read_tflite(tflite), chosen_runtimes(runtimes, ("host",), RUNTIMES)
    if out is not None:
        require_empty(out)
    gate = read_gates(gates).get(FOREIGN)
    if gate is None:
        raise InputError("--gates", expected="a table [foreign.any]", given="none", do="add it, or leave --gates out")
    feeds = feeds_of_npz(inputs, file.ports()[0], "--inputs")
    chosen, loaded = choose_signature(saved_model, signature)
    reference = _ask(loaded, feeds)
    ranked = _Ranked.of(reference, scores)
    results = []
    for runtime in names:
        for delegate in (True, False) if RUNTIMES[runtime].chooses_delegate else (True,):
            row = {"graph": chosen, "recipe": tflite.stem, "runtime": runtime, "target": "host"}
            row["delegate"] = "xnnpack" if delegate else "none"
            if reason := RUNTIMES[runtime].missing():
                results.append({**row, **_unjudged("skipped", reason, 0, gate)})
                continue
            outcome = run_variant(tflite, feeds, runtime=runtime, delegate=delegate, timeout_s=timeout_s)
            results.append({**row, **_judge(outcome.reason, outcome.arrays, reference, ranked, gate)})
            if out is not None and outcome:
                write_npz(out / "raw" / f"{runtime}{'' if delegate else '@none'}.npz", **outcome.arrays)
    made_from = sha256_bytes((sha256_tree(saved_model) + sha256_file(tflite) + sha256_file(inputs)).encode())
    document = {**document_head(PARITY_SCHEMA, made_from, runtime_packages()), "results": results}
    if out is not None:
        write_json(out / "parity.json", document)
    return document


@dataclass(frozen=True)
class _Ranked:
    """The output that ranks, and the one that says what."""

    scores: str
    ids: str | None

    @staticmethod
    def of(reference: Mapping[str, list[np.ndarray]], named: str | None) -> "_Ranked | None":
        floats = [name for name, rows in reference.items() if rows[0].dtype.kind == "f" and rows[0].size > 1]
        if named is not None and named not in floats:
            expected = f"an output of several floats: {', '.join(floats) or 'none has them'}"
            raise InputError("--scores", expected=expected, given=named, do="choose one, or leave it out")
        scores = named or next((name for name in _SCORES if name in floats), None)
        if scores is None:
            return None
        shape = reference[scores][0].shape
        whole = [name for name, rows in reference.items() if rows[0].dtype.kind in "iu" and rows[0].shape == shape]
        return _Ranked(scores, "ids" if "ids" in whole else whole[0] if len(whole) == 1 else None)

    def answers(
        self, reference: Mapping[str, list[np.ndarray]], got: Mapping[str, list[np.ndarray]]
    ) -> Lists | Ratings:
        """Lists where ids are given, scores of the same positions otherwise."""
        expected, scores = ([row.reshape(-1) for row in side[self.scores]] for side in (reference, got))
        if self.ids is None:
            positions = [np.arange(len(row)) for row in expected]
            return ratings_of(np.concatenate(expected), np.concatenate(scores), positions)
        best, ids = ([row.reshape(-1).astype(np.int64) for row in side[self.ids]] for side in (reference, got))
        return lists_of(best, expected, ids, scores)


def _ask(signature: Any, feeds: Mapping[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    from ...train.export.savedmodels import call_signature

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
    reason: str,
    outputs: Mapping[str, np.ndarray],
    reference: Mapping[str, list[np.ndarray]],
    ranked: _Ranked | None,
    gate: Gate,
) -> dict[str, Any]:
    n_queries = len(next(iter(reference.values())))
    reason = reason or _unlike(outputs, reference)
    if reason:
        return _unjudged("error", reason, n_queries, gate)
    rows = {name: rows_of(outputs, name) for name in reference}
    numeric = [name for name, values in reference.items() if values[0].dtype.kind in "fiub"]
    # What is listed in another order differs everywhere by value: lists are compared as lists.
    listed = {ranked.scores, ranked.ids} if ranked and ranked.ids else set()
    pairs = [(_flat(reference[name]), _flat(rows[name])) for name in numeric if name not in listed]
    answers = ranked.answers(reference, rows) if ranked else None
    metrics = {
        **dict.fromkeys(_UNKNOWN),
        "kendall_tau": mean_defined([kendall_tau(expected, got) for expected, got in pairs]),
        **(answers.metrics() if answers else {}),
    }
    spans = [float(np.ptp(expected)) or 1.0 for expected, _ in pairs]
    metrics |= {
        "max_abs_diff": max([metrics.get("max_abs_diff") or 0.0, *(max_abs_diff(e, g) for e, g in pairs)]),
        "mean_abs_diff": max([metrics.get("mean_abs_diff") or 0.0, *(mean_abs_diff(e, g) for e, g in pairs)]),
        "max_diff_of_range": max(
            [
                metrics.get("max_diff_of_range") or 0.0,
                *(max_abs_diff(e, g) / s for (e, g), s in zip(pairs, spans, strict=True)),
            ]
        ),
    }
    misses = gate.misses(metrics)
    found = _unjudged("fail" if misses else "pass", "; ".join(misses), n_queries, gate) | {"metrics": metrics}
    return found | {"first_difference": _first(answers) if misses and answers else None}


def _unjudged(status: str, reason: str, n_queries: int, gate: Gate) -> dict[str, Any]:
    return {
        "status": status,
        "reason": reason,
        "n_queries": n_queries,
        "metrics": {},
        "tolerance": gate.to_json(),
        "first_difference": None,
    }


def _unlike(outputs: Mapping[str, np.ndarray], reference: Mapping[str, list[np.ndarray]]) -> str:
    """Why outputs cannot be compared; '' when they can."""
    if unmatched := set(reference) ^ {name for name in outputs if not name.endswith(".offsets")}:
        return f"outputs differ: {sorted(unmatched)} are on one side only"
    for name, rows in reference.items():
        if rows[0].dtype.kind in "fiub" and outputs[name].size != sum(row.size for row in rows):
            return f"output {name}: {sum(row.size for row in rows)} values expected, {outputs[name].size} given"
        if outputs[name].dtype.kind == "f" and not np.isfinite(outputs[name]).all():
            return f"output {name} holds NaN or infinity"
    return ""


def _flat(rows: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([row.reshape(-1) for row in rows])


def _first(answers: Lists | Ratings) -> dict[str, Any]:
    row = answers.differing(None)
    return {"user": None, "query": f"row {row} of the inputs", **both_lists(answers, row, str)}
