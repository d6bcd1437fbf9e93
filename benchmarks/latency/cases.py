"""What latency is measured of: each variant on each runtime, any single file, and the server-side retrievers."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path

import numpy as np

from ...convert.quantize.recipes import RECIPES
from ...core.queries.model_inputs import feeds_for
from ...core.queries.packing import part
from ...core.records.latency import CaseFields
from ...core.records.variants import Variant
from ...core.run_dir import Run
from ...runtimes.launch import Job, variant_job
from ...runtimes.runtimes import RUNTIMES, SAVED_MODEL_RUNTIME
from ...runtimes.targets import DEFAULT_TARGETS
from .case_kinds import batch_sizes
from .latency_queries import LatencyQueries, server_inputs

RETRIEVER_WORKER = Path(__file__).with_name("retriever_worker.py")
_SERVER_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class BenchmarkCase:
    """One row of latency.json before it is measured.

    Attributes:
        label: short name, also of the file of raw samples.
        fields: what is known of it beforehand.
        job: what a worker does; `timed` adds how often.
        needs: packages it cannot be measured without.
    """

    label: str
    fields: CaseFields
    job: Job
    needs: tuple[str, ...] = ()

    def timed(self, samples: int, warmup: int) -> Job:
        """The job with the number of timed calls, after `warmup` others."""
        return replace(self.job, spec={**self.job.spec, "mode": "latency", "samples": samples, "warmup": warmup})

    def on_first(self, n_queries: int) -> "BenchmarkCase":
        """The same on fewer queries: a worker executes each of them once more besides the timed calls."""
        return replace(self, job=replace(self.job, inputs=part(self.job.inputs, 0, n_queries)))

    def missing(self) -> str:
        """Why it cannot be measured here, with the command that adds it; '' where it can."""
        absent = [name for name in self.needs if util.find_spec(name) is None]
        return f"{' and '.join(absent)} not installed; pip install 'pocketrec[train]'" if absent else ""


def variant_cases(
    run: Run,
    variants: Sequence[Variant],
    runtimes: Sequence[str],
    threads: Sequence[int],
    queries: LatencyQueries,
    places: Sequence[str] = DEFAULT_TARGETS,
) -> list[BenchmarkCase]:
    """Every variant on every runtime, on every place where that runs: each number of threads, the other way as to XNNPACK, and
    rankers with other numbers of candidates."""
    found = []
    for place, variant, runtime in itertools.product(places, variants, runtimes):
        if not RUNTIMES[runtime].runs_on(place):
            continue
        batches, (usual, *other) = batch_sizes(variant.graph), RUNTIMES[runtime].delegates(place)
        setups = [(count, batches[0], usual) for count in threads]
        setups += [(threads[0], batch, usual) for batch in batches[1:]]
        able = [delegate for delegate in other if not RUNTIMES[runtime].refuses(variant.inputs, delegate=delegate)]
        setups += [(threads[0], batches[0], delegate) for delegate in able]
        found += [_variant_case(run, variant, runtime, place, queries, *setup) for setup in setups]
    return found


def _variant_case(
    run: Run,
    variant: Variant,
    runtime: str,
    place: str,
    queries: LatencyQueries,
    threads: int,
    batch: int,
    delegate: bool,
) -> BenchmarkCase:
    k = variant.results_per_call
    cut = [replace(query, items=query.items[:batch]) for query in queries.queries]
    feeds = feeds_for([port.name for port in variant.inputs], cut, queries.catalogue)
    if "seen" in feeds:  # the servers' indexes have no mask
        feeds["seen"] = np.zeros_like(feeds["seen"])
    fields = CaseFields(
        subject="tflite",
        graph=variant.graph,
        recipe=variant.recipe,
        runtime=runtime,
        target=place,
        threads=threads,
        delegate="xnnpack" if delegate else "none",
        batch_size=batch,
        n_items=queries.n_items,
        k=k,
        is_exact=RECIPES[variant.recipe].is_exact if k else None,
        size_bytes=variant.size_bytes,
    )
    other = f"-b{batch}" if batch != batch_sizes(variant.graph)[0] else ""
    label = f"{variant.graph}-{variant.recipe}@{runtime}{_where(place)}-t{threads}{other}{'' if delegate else '-none'}"
    job = variant_job(run.converted / variant.file, feeds, runtime=runtime, threads=threads, delegate=delegate)
    return BenchmarkCase(label, fields, job)


def _where(place: str) -> str:
    """A place in the name of a file of samples; nothing for this machine."""
    return "" if place in DEFAULT_TARGETS else f"@{place.replace('/', '-')}"


def file_cases(
    path: Path,
    feeds: Mapping[str, np.ndarray],
    runtimes: Iterable[str],
    threads: Sequence[int],
    places: Sequence[str] = DEFAULT_TARGETS,
    *,
    are_zeros: bool,
) -> list[BenchmarkCase]:
    """A single .tflite file on every runtime and place with each number of threads."""
    return [
        BenchmarkCase(
            f"{path.stem}@{runtime}{_where(place)}-t{count}",
            CaseFields(
                subject="tflite",
                graph=path.stem,
                runtime=runtime,
                target=place,
                threads=count,
                delegate="xnnpack" if RUNTIMES[runtime].attaches_delegate else "none",
                size_bytes=path.stat().st_size,
                inputs="zeros" if are_zeros else "file",
            ),
            variant_job(path, feeds, runtime=runtime, threads=count),
        )
        for place, runtime in itertools.product(places, runtimes)
        if RUNTIMES[runtime].runs_on(place)
        for count in threads
    ]


@dataclass(frozen=True)
class _ServerModel:
    """A retrieval SavedModel of a run: what its rows are called, its folder, and whether it scores everything exactly."""

    subject: str
    folder: str
    is_exact: bool
    configuration: str


def server_cases(run: Run, queries: LatencyQueries, k: int, vectors: np.ndarray) -> list[BenchmarkCase]:
    """BruteForce and ScaNN as SavedModels (user in, item ids out) and native ScaNN (query vector in, positions out).

    Args:
        k: results per call.
        vectors: float32[n_queries, d], the query vectors of the same users.
    """
    recommended = run.record.scann_configuration
    models = [
        _ServerModel("server/bruteforce/savedmodel", "retrieval_bruteforce", True, "exact"),
        _ServerModel("server/scann/savedmodel", "retrieval_scann", recommended == "brute_force", recommended),
        _ServerModel("server/scann/savedmodel", "retrieval_scann_tfrs_default", False, "tfrs_default"),
    ]
    inputs, runtime = server_inputs(queries), SAVED_MODEL_RUNTIME
    cases = []
    for model in models:
        if not run.saved_model(model.folder).is_dir():
            continue
        fields = CaseFields(
            subject=model.subject,
            runtime=runtime,
            batch_size=1,
            n_items=queries.n_items,
            k=k,
            is_exact=model.is_exact,
            covers="encoder+index",
            configuration=model.configuration,
        )
        spec = {"kind": "savedmodel", "saved_model": str(run.saved_model(model.folder)), "k": k}
        cases.append(retriever_case(_server_label(fields), fields, spec, inputs))
    fields = CaseFields(
        subject="server/scann/native",
        runtime="native",
        batch_size=1,
        n_items=queries.n_items,
        k=k,
        is_exact=True,
        covers="index",
        configuration="brute_force, as ScaNN's authors advise under 20,000 items",
    )
    spec = {"kind": "scann_native", "candidates": str(run.trained / "candidates.npy"), "k": k}
    return [*cases, retriever_case(_server_label(fields), fields, spec, {"query": vectors})]


def _server_label(fields: CaseFields) -> str:
    return f"{fields.subject.replace('/', '-')}-{(fields.configuration or '').split(',')[0]}"


def retriever_case(
    label: str,
    fields: CaseFields,
    spec: Mapping[str, object],
    inputs: Mapping[str, np.ndarray],
    timeout_s: float = _SERVER_TIMEOUT_S,
) -> BenchmarkCase:
    """A case of retriever_worker.py, whose SPEC is `spec`."""
    needs = ("scann", "tensorflow") if spec["kind"] == "savedmodel" else ("scann",)
    return BenchmarkCase(label, fields, Job(str(RETRIEVER_WORKER), spec, inputs, timeout_s), needs)
