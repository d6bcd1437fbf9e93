"""What is measured on a catalogue of a sweep: every form of search on the device, native ScaNN as recommended, and brute force."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ...convert.retrieval.catalogue_index import CatalogueIndex, exact_best, split_queries
from ...convert.retrieval.partitioning import weighted_space
from ...convert.retrieval.search_graphs import FORMS
from ...core.errors import CheckFailed
from ...core.records.latency import CaseFields
from ...runtimes.launch import run_worker, variant_job
from ...train.export.scann_settings import scann_settings
from ..latency.cases import BenchmarkCase, retriever_case

log = logging.getLogger(__name__)

SCANN_BUILD_WORKER = Path(__file__).with_name("scann_build_worker.py")
_BUILD_S, _MEASURE_S = 900, 300
_BLOCK = 100_000
Settings: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class SearchSetup:
    """A catalogue, the queries it is searched with, and what searches are set up to find.

    Attributes:
        folder: scratch directory; `items.npy` lies there.
        items: float32[n, d], memory-mapped.
        queries: float32[q, d], those that are measured.
        representative: float32[m, d], those that searches are set up with; none of the measured.
        k: results per query.
        recall: share of the exact best k that approximate searches are set up to find on the representative queries.
        seed: of the partitions.
    """

    folder: Path
    items: np.ndarray
    queries: np.ndarray
    representative: np.ndarray
    k: int
    recall: float
    seed: int

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def name(self) -> str:
        """Part of labels: size and width."""
        return f"n{self.n_items}-d{self.items.shape[1]}"


def device_cases(setup: SearchSetup, runtimes: Sequence[str], threads: Sequence[int]) -> list[BenchmarkCase]:
    """Every form as a .tflite file in the scratch folder, on every runtime."""
    scanned = CatalogueIndex(setup.items, setup.representative, setup.k, setup.recall, setup.seed)
    queries, cases = {"query": setup.queries[:, None, :]}, []
    for name, form in FORMS.items():
        log.info(f"{setup.n_items:,} items: building {name}")
        path = setup.folder / f"{name}.tflite"
        path.write_bytes(form.build(scanned))
        for runtime in runtimes:
            for count in threads:
                fields = CaseFields(
                    subject="tflite",
                    graph="retriever",
                    recipe=form.recipe,
                    form=name,
                    runtime=runtime,
                    threads=count,
                    batch_size=1,
                    n_items=setup.n_items,
                    k=setup.k,
                    dimension=setup.items.shape[1],
                    is_exact=form.is_exact,
                    size_bytes=path.stat().st_size,
                    settings={**form.settings(scanned)},
                )
                job = variant_job(path, queries, runtime=runtime, threads=count, timeout_s=_MEASURE_S)
                cases.append(BenchmarkCase(f"{name}-{setup.name}@{runtime}-t{count}", fields, job))
    return cases


def scann_cases(setup: SearchSetup) -> list[BenchmarkCase]:
    """Native ScaNN: brute force and, where its authors recommend more, their configuration tuned to the recall; the latter also in
    the space weighted by the queries, in which partitions and hashes need to read less for the same recall."""
    path = setup.folder / "items.npy"
    brute = {"kind": "scann_native", "candidates": str(path), "k": setup.k}
    cases = [_scann_case(setup, "brute_force", brute, setup.queries, setup.items.size * 4, None)]
    settings = scann_settings(setup.n_items)
    if settings["configuration"] == "brute_force" or cases[0].missing():
        return cases
    placing, choosing = split_queries(setup.representative)
    exact = exact_best(setup.items, choosing, setup.k)
    for_items, for_queries = weighted_space(placing)
    plain: Callable[[np.ndarray], np.ndarray] = lambda rows: rows  # noqa: E731
    for suffix, items, mapped in (
        ("", path, plain),
        ("_weighted", _mapped(path, for_items), lambda rows: rows @ for_queries),
    ):
        form = f"{settings['configuration']}{suffix}"
        log.info(f"{setup.n_items:,} items: building and tuning ScaNN {form}")
        index = setup.folder / f"scann-{form}"
        tuned = _tuned(setup, items, index, settings, mapped(choosing), exact)
        spec = {"kind": "scann_saved", "index": str(index), "search": tuned["search"], "k": setup.k}
        how = {**settings, **tuned["search"], "recall_tuned": tuned["recall"], "build_s": tuned["build_s"]}
        cases.append(_scann_case(setup, form, spec, mapped(setup.queries), tuned["size_bytes"], how))
    return cases


def _mapped(path: Path, by: np.ndarray) -> Path:
    """The catalogue times a matrix, beside it, written in blocks."""
    items = np.load(path, mmap_mode="r")
    mapped = path.with_name("items-weighted.npy")
    written: np.ndarray = np.lib.format.open_memmap(mapped, mode="w+", dtype=np.float32, shape=items.shape)
    for start in range(0, len(items), _BLOCK):
        written[start : start + _BLOCK] = items[start : start + _BLOCK] @ by
    del written  # closes the file, and so writes it
    return mapped


def _tuned(
    setup: SearchSetup, items: Path, index: Path, settings: Settings, queries: np.ndarray, exact: np.ndarray
) -> Settings:
    """What scann_build_worker.py says of the index that it built."""
    spec = {"items": str(items), "settings": dict(settings), "k": setup.k, "recall": setup.recall, "folder": str(index)}
    outcome = run_worker([str(SCANN_BUILD_WORKER)], spec, {"query": queries, "exact": exact}, timeout_s=_BUILD_S)
    if not outcome:
        text = f"ScaNN could not be built over {setup.n_items:,} items: {outcome.reason}"
        raise CheckFailed(text, code="WORKER_FAILED")
    return outcome.meta


def _scann_case(
    setup: SearchSetup, form: str, spec: Settings, queries: np.ndarray, size_bytes: int, tuned: Settings | None
) -> BenchmarkCase:
    """Native ScaNN; `tuned` is its configuration, None for brute force, which is exact."""
    fields = CaseFields(
        subject="server/scann/native",
        form=form,
        runtime="native",
        threads=1,
        batch_size=1,
        n_items=setup.n_items,
        k=setup.k,
        dimension=setup.items.shape[1],
        covers="index",
        configuration=form,
        is_exact=tuned is None,
        size_bytes=size_bytes,
        settings=dict(tuned or {}),
    )
    return retriever_case(f"scann-{form}-{setup.name}", fields, spec, {"query": queries}, _MEASURE_S)
