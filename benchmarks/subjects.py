"""What latency is measured of: each variant on each runtime, and the server-side retrievers, over the same queries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..train.artifacts import Run
from .processes import Outcome, run_variant, run_worker
from .queries import HeldOut, Query, feed, feeds_for

_SERVER_WORKER = Path(__file__).with_name("server_worker.py")
_QUERIES = 128
_CANDIDATES = 100


@dataclass(frozen=True)
class Subject:
    """One row of latency.json before it is measured.

    Attributes:
        fields: the row's descriptive fields.
        measure: (warmup, samples) to a worker's outcome with `samples_ns` and, for retrievers, `ids`.
        label: short name for people and file names.
    """

    label: str
    fields: Mapping[str, Any]
    measure: Callable[[int, int], Outcome]


def latency_queries(data: HeldOut) -> list[Query]:
    """Up to 128 held-out users spread over the vocabulary, each with 100 candidates: their own items and then the rest in order."""
    step = max(1, len(data.queries) // _QUERIES)
    n_items = len(data.items)
    chosen = []
    for query in data.queries[::step][:_QUERIES]:
        others = np.setdiff1d(np.arange(n_items, dtype=np.int32), query.items)
        items = np.concatenate([query.items, others])[:_CANDIDATES].astype(np.int32)
        chosen.append(replace(query, items=items))
    return chosen


def variant_subject(run: Run, variant: dict[str, Any], runtime: str, threads: int, data: HeldOut) -> Subject:
    """A variant on a runtime; a string ranker is called with one pair, as the tutorial's app would."""
    graph, queries = variant["graph"], latency_queries(data)
    if graph == "ranker_strings":
        queries = [replace(query, items=query.items[:1]) for query in queries]
    feeds = feeds_for([port["name"] for port in variant["inputs"]], queries, data.catalogue)
    if "seen" in feeds:  # the servers' indexes have no mask
        feeds["seen"] = np.zeros_like(feeds["seen"])
    retrieves = graph == "retriever"
    k = next((port["shape"][0] for port in variant["outputs"] if port["name"] == "ids"), None) if retrieves else None
    fields = {
        "subject": "tflite", "graph": graph, "recipe": variant["recipe"], "runtime": runtime, "target": "host", "threads": threads,
        "batch_size": 1 if retrieves else len(queries[0].items), "n_items": len(data.items), "k": k,
        "is_exact": variant["recipe"] == "float32" if retrieves else None, "size_bytes": variant["size_bytes"],
    }  # fmt: skip

    def measure(warmup: int, samples: int) -> Outcome:
        path = run.converted / variant["file"]
        return run_variant(
            path, feeds, runtime=runtime, threads=threads, latency={"warmup": warmup, "samples": samples}
        )

    return Subject(f"{graph}-{variant['recipe']}@{runtime}-t{threads}", fields, measure)


def server_subjects(run: Run, data: HeldOut, k: int, reference: Mapping[str, np.ndarray]) -> list[Subject]:
    """BruteForce and ScaNN as SavedModels (user id in, titles out) and native ScaNN (query vector in, rows out)."""
    queries = latency_queries(data)
    run_scann = run.run_json["scann"]["configuration"]
    native = {"kind": "scann_native", "candidates": str(run.trained / "candidates.npy")}
    rows = [
        ("server/bruteforce/savedmodel", "retrieval_bruteforce", True, "exact"),
        ("server/scann/savedmodel", "retrieval_scann", run_scann == "brute_force", run_scann),
        ("server/scann/savedmodel", "retrieval_scann_tfrs_default", False, "tfrs_default"),
    ]
    subjects = []
    for name, model, is_exact, how in (row for row in rows if run.saved_model(row[1]).is_dir()):
        spec = {"kind": "savedmodel", "saved_model": str(run.saved_model(model))}
        subjects.append(
            _server_subject(
                name, spec, served(queries, data), is_exact, "encoder+index", how, k=k, n_items=len(data.items)
            )
        )
    vectors = {"query": reference["query"][[_row_of(data, query) for query in queries]]}
    how = "brute_force, as ScaNN's authors advise under 20,000 items"
    return [
        *subjects,
        _server_subject("server/scann/native", native, vectors, True, "index", how, k=k, n_items=len(data.items)),
    ]


def served(queries: list[Query], data: HeldOut) -> dict[str, np.ndarray]:
    """Inputs of a served retrieval SavedModel, one row a query, texts padded with '' to the longest."""
    if not data.catalogue.window:
        return {"user_id": np.stack([feed("user_id", query, data.catalogue)[:1] for query in queries])}
    found = {}
    for name in ("watched", "declared"):
        rows = [feed(name, query, data.catalogue) for query in queries]
        width = max(len(row) for row in rows)
        found[name] = np.stack([np.concatenate([np.full(width - len(row), b"", row.dtype), row])[None] for row in rows])
    return found


def _row_of(data: HeldOut, query: Query) -> int:
    return next(row for row, held in enumerate(data.queries) if held.user == query.user)


def _server_subject(
    name: str,
    spec: dict[str, Any],
    inputs: Mapping[str, np.ndarray],
    is_exact: bool,
    covers: str,
    how: str,
    *,
    k: int,
    n_items: int,
) -> Subject:
    fields = {
        "subject": name, "graph": None, "recipe": None, "runtime": "native" if spec["kind"] == "scann_native" else "tf-2.18.1",
        "target": "host", "threads": None, "batch_size": 1, "n_items": n_items, "k": k, "is_exact": is_exact, "size_bytes": None,
        "covers": covers, "configuration": how,
    }  # fmt: skip

    def measure(warmup: int, samples: int) -> Outcome:
        full = {**spec, "k": k, "warmup": warmup, "samples": samples}
        return run_worker([str(_SERVER_WORKER)], full, inputs, timeout_s=180)

    return Subject(f"{name.replace('/', '-')}-{how.split(',')[0]}", fields, measure)
