"""What latency is measured of: each variant on each runtime, and the server-side retrievers, over the same queries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...convert.quantize.recipes import RECIPES
from ...core.metrics import recall_of_lists
from ...core.queries.held_out import HeldOut
from ...core.queries.model_inputs import feed, feeds_for
from ...core.queries.packing import rows_of
from ...core.queries.query import Catalogue, Query
from ...core.run_dir import Run, results_a_call
from ...runtimes.launch import Job, Outcome, variant_job
from ...runtimes.runtimes import RUNTIMES, SAVED_MODEL_RUNTIME

SERVER_WORKER = Path(__file__).with_name("retriever_worker.py")
_QUERIES = 128
_CANDIDATES = 100


@dataclass(frozen=True)
class Subject:
    """One row of latency.json before it is measured.

    Attributes:
        fields: the row's descriptive fields.
        measure: (warmup, samples) to a worker's outcome with `samples_ns` and, for retrievers, `ids`.
        label: short name for people and file names.
        job: what a worker is asked, where it may be a fork.
    """

    label: str
    fields: Mapping[str, Any]
    measure: Callable[[int, int], Outcome]
    job: Job | None = None

    @classmethod
    def of(cls, label: str, fields: Mapping[str, Any], job: Job) -> "Subject":
        """A subject that a worker can measure beside others of the same worker."""
        return cls(label, fields, lambda warmup, samples: job.run(mode="latency", warmup=warmup, samples=samples), job)


@dataclass(frozen=True)
class Asked:
    """The queries that latency is measured on: up to 128 held-out users spread over the vocabulary.

    Attributes:
        rows: int64[n], their positions among the held-out queries.
        queries: the same users, each with 100 candidates: their own items and then the rest in order.
        catalogue: what ids mean.
    """

    rows: np.ndarray
    queries: list[Query]
    catalogue: Catalogue

    @property
    def n_items(self) -> int:
        return len(self.catalogue.items)


def latency_queries(data: HeldOut) -> Asked:
    """Choose the queries of a run."""
    rows = np.arange(0, len(data.queries), max(1, len(data.queries) // _QUERIES))[:_QUERIES]
    everything, chosen = np.arange(len(data.items), dtype=np.int32), []
    for query in (data.queries[row] for row in rows):
        items = np.concatenate([query.items, np.setdiff1d(everything, query.items)])[:_CANDIDATES]
        chosen.append(replace(query, items=items.astype(np.int32)))
    return Asked(rows, chosen, data.catalogue)


def recall_of(outcome: Outcome, exact: np.ndarray, items: Sequence[str]) -> float:
    """Share of `exact` int64[n_queries, k] among the ids of an outcome, mean over queries; titles are looked up among `items`."""
    rows = rows_of(outcome.arrays, "ids")
    if rows[0].dtype.kind == "S":
        index = {item.encode(): number for number, item in enumerate(items)}
        rows = [np.array([index.get(title, -1) for title in row.tolist()]) for row in rows]
    return recall_of_lists(rows, exact)


def variant_subjects(
    run: Run, variants: Sequence[dict[str, Any]], runtimes: Sequence[str], threads: Sequence[int], asked: Asked
) -> list[Subject]:
    """Every variant on every runtime: each number of threads, without XNNPACK, and rankers with other numbers of candidates."""
    found = []
    for variant in variants:
        batches = _batches(variant)
        setups = [(count, batches[0], True) for count in threads]
        setups += [(threads[0], batch, True) for batch in batches[1:]]
        for runtime in runtimes:
            without = [(threads[0], batches[0], False)] if RUNTIMES[runtime].chooses_delegate else []
            found += [_variant_subject(run, variant, runtime, asked, *setup) for setup in [*setups, *without]]
    return found


def is_usual(row: Mapping[str, Any]) -> bool:
    """Whether a row is one to show first: one thread, XNNPACK as it comes, the usual number of candidates."""
    usual = _batches(row)[0] if row["subject"] == "tflite" and row.get("delegate") else row["batch_size"]
    return row["threads"] in (None, 1) and row.get("delegate") != "none" and row["batch_size"] == usual


def _batches(variant: Mapping[str, Any]) -> tuple[int, ...]:
    """Candidates a call, the usual number first: the tutorial's app asks about one pair, ours about a screenful and more."""
    return {"ranker": (100, 1, 10), "ranker_strings": (1, 10, 100)}.get(variant["graph"], (1,))


def _variant_subject(
    run: Run, variant: dict[str, Any], runtime: str, asked: Asked, threads: int, batch: int, delegate: bool
) -> Subject:
    graph, k = variant["graph"], results_a_call(variant)
    queries = [replace(query, items=query.items[:batch]) for query in asked.queries]
    feeds = feeds_for([port["name"] for port in variant["inputs"]], queries, asked.catalogue)
    if "seen" in feeds:  # the servers' indexes have no mask
        feeds["seen"] = np.zeros_like(feeds["seen"])
    fields = {
        "subject": "tflite", "graph": graph, "recipe": variant["recipe"], "runtime": runtime, "target": "host", "threads": threads,
        "delegate": "xnnpack" if delegate else "none", "batch_size": batch, "n_items": asked.n_items, "k": k,
        "is_exact": RECIPES[variant["recipe"]].is_exact if k else None, "size_bytes": variant["size_bytes"],
    }  # fmt: skip
    other = f"-b{batch}" if batch != _batches(variant)[0] else ""
    label = f"{graph}-{variant['recipe']}@{runtime}-t{threads}{other}{'' if delegate else '-none'}"
    job = variant_job(run.converted / variant["file"], feeds, runtime=runtime, threads=threads, delegate=delegate)
    return Subject.of(label, fields, job)


def server_subjects(run: Run, asked: Asked, k: int, vectors: np.ndarray) -> list[Subject]:
    """BruteForce and ScaNN as SavedModels (who asks in, item ids out) and native ScaNN (`vectors` in, rows out)."""
    advised = run.run_json["scann"]["configuration"]
    models = [
        ("server/bruteforce/savedmodel", "retrieval_bruteforce", True, "exact"),
        ("server/scann/savedmodel", "retrieval_scann", advised == "brute_force", advised),
        ("server/scann/savedmodel", "retrieval_scann_tfrs_default", False, "tfrs_default"),
    ]
    inputs, subjects = served(asked), []
    for name, model, is_exact, how in (row for row in models if run.saved_model(row[1]).is_dir()):
        spec = {"kind": "savedmodel", "saved_model": str(run.saved_model(model)), "k": k}
        fields = {"subject": name, "is_exact": is_exact, "covers": "encoder+index", "configuration": how}
        subjects.append(_server_subject(spec, inputs, fields, asked.n_items))
    spec = {"kind": "scann_native", "candidates": str(run.trained / "candidates.npy"), "k": k}
    how = "brute_force, as ScaNN's authors advise under 20,000 items"
    fields = {"subject": "server/scann/native", "is_exact": True, "covers": "index", "configuration": how}
    return [*subjects, _server_subject(spec, {"query": vectors}, fields, asked.n_items)]


def served(asked: Asked) -> dict[str, np.ndarray]:
    """Inputs of a served retrieval SavedModel, one row a query, texts padded with '' to the longest."""
    rows_of = lambda name: [feed(name, query, asked.catalogue) for query in asked.queries]  # noqa: E731
    if not asked.catalogue.window:
        return {"user_id": np.stack([row[:1] for row in rows_of("user_id")])}
    found = {}
    for name, longest in (("watched", asked.catalogue.window), ("declared", None)):
        rows = [row[-longest:] if longest else row for row in rows_of(name)]
        width = max(len(row) for row in rows)
        found[name] = np.stack([np.concatenate([np.full(width - len(row), b"", row.dtype), row])[None] for row in rows])
    return found


def _server_subject(
    spec: dict[str, Any], inputs: Mapping[str, np.ndarray], fields: dict[str, Any], n_items: int
) -> Subject:
    row = {
        **fields, "graph": None, "recipe": None, "runtime": "native" if spec["kind"] == "scann_native" else SAVED_MODEL_RUNTIME,
        "target": "host", "threads": None, "delegate": None, "batch_size": 1, "n_items": n_items, "k": spec["k"],
        "size_bytes": None,
    }  # fmt: skip

    label = f"{fields['subject'].replace('/', '-')}-{fields['configuration'].split(',')[0]}"
    return Subject.of(label, row, Job(str(SERVER_WORKER), spec, inputs, timeout_s=180))
