"""What is measured on a grown catalogue: the forms of `convert/scanning.py`, native ScaNN as advised, and brute force."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...convert.retrieval.catalogue_index import Scanned, exact_best, placing_and_choosing
from ...convert.retrieval.partitioning import weighted_space
from ...convert.retrieval.search_graphs import FORMS
from ...core.errors import CheckFailed
from ...runtimes.launch import Outcome, run_worker, variant_job
from ...train.export.scann_settings import scann_settings
from ..latency.cases import SERVER_WORKER, Subject

log = logging.getLogger(__name__)

_SCANN_WORKER = Path(__file__).with_name("scann_build_worker.py")
_BUILD_S, _MEASURE_S = 900, 300
_BLOCK = 100_000


@dataclass(frozen=True)
class Scaled:
    """A grown catalogue and who asks it.

    Attributes:
        folder: scratch; `items.npy` lies there.
        items: float32[n, d], memory-mapped.
        queries: float32[q, d], those that are measured.
        representative: float32[m, d], those that retrieval is set up with; none of the measured.
        k: results a query.
        recall: what retrieval by cells and ScaNN are set up to find.
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

    def fields(self, **more: Any) -> dict[str, Any]:
        """A row's descriptive fields."""
        return {
            "graph": None, "recipe": None, "target": "host", "batch_size": 1, "n_items": self.n_items, "k": self.k,
            "dimension": self.items.shape[1], **more,
        }  # fmt: skip


def device_subjects(scaled: Scaled, runtimes: Sequence[str], threads: Sequence[int]) -> list[Subject]:
    """Every form as a .tflite file in the scratch folder, on every runtime."""
    scanned = Scanned(scaled.items, scaled.representative, scaled.k, scaled.recall, scaled.seed)
    subjects = []
    for name, form in FORMS.items():
        log.info(f"{scaled.n_items:,} items: building {name}")
        path = scaled.folder / f"{name}.tflite"
        path.write_bytes(form.build(scanned))
        for runtime in runtimes:
            for count in threads:
                fields = scaled.fields(
                    subject="tflite", graph="retriever", recipe=form.recipe, form=name, runtime=runtime, threads=count,
                    is_exact=form.is_exact, size_bytes=path.stat().st_size, settings=form.settings(scanned),
                )  # fmt: skip
                label = f"{name}-n{scaled.n_items}-d{scaled.items.shape[1]}@{runtime}-t{count}"
                subjects.append(Subject(label, fields, _timed(path, scaled.queries, runtime, count)))
    return subjects


def _timed(path: Path, queries: np.ndarray, runtime: str, threads: int) -> Callable[[int, int], Outcome]:
    """What times a file, on as many different queries as samples are asked for: workers answer each once more beside."""

    def measure(warmup: int, samples: int) -> Outcome:
        job = variant_job(path, {"query": queries[:samples, None, :]}, runtime=runtime, threads=threads)
        return job.run(mode="latency", warmup=warmup, samples=samples)

    return measure


def scann_subjects(scaled: Scaled) -> list[Subject]:
    """Native ScaNN: brute force, and where its authors advise more than that, their configuration tuned to the recall; that one
    also in the space weighted by the queries, in which partitions and hashes need less for the same recall."""
    path = scaled.folder / "items.npy"
    brute = {"kind": "scann_native", "candidates": str(path)}
    size = scaled.items.size * 4
    subjects = [_served(scaled, "brute_force", brute, scaled.queries, is_exact=True, size_bytes=size, settings={})]
    settings = scann_settings(scaled.n_items)
    if settings["configuration"] == "brute_force":
        return subjects
    placing, choosing = placing_and_choosing(scaled.representative)
    exact = exact_best(scaled.items, choosing, scaled.k)
    for_items, for_queries = weighted_space(placing)
    for weighted in (False, True):
        form = settings["configuration"] + ("_weighted" if weighted else "")
        log.info(f"{scaled.n_items:,} items: building and tuning ScaNN {form}")
        turn = (lambda rows: rows @ for_queries) if weighted else (lambda rows: rows)
        items = _mapped(path, for_items) if weighted else path
        index = scaled.folder / f"scann-{form}"
        tuned = _tuned(scaled, items, index, settings, turn(choosing), exact)
        spec = {"kind": "scann_saved", "index": str(index), "search": tuned["search"]}
        how = {**settings, **tuned["search"], "recall_tuned": tuned["recall"], "build_s": tuned["build_s"]}
        subjects.append(
            _served(
                scaled, form, spec, turn(scaled.queries), is_exact=False, size_bytes=tuned["size_bytes"], settings=how
            )
        )
    return subjects


def _mapped(path: Path, by: np.ndarray) -> Path:
    """The catalogue times a matrix, beside it, written in blocks."""
    items = np.load(path, mmap_mode="r")
    mapped = path.with_name("items-weighted.npy")
    written: Any = np.lib.format.open_memmap(mapped, mode="w+", dtype=np.float32, shape=items.shape)
    for start in range(0, len(items), _BLOCK):
        written[start : start + _BLOCK] = items[start : start + _BLOCK] @ by
    written.flush()
    return mapped


def _tuned(
    scaled: Scaled, items: Path, index: Path, settings: Mapping[str, Any], queries: np.ndarray, exact: np.ndarray
) -> Mapping[str, Any]:
    spec = {
        "items": str(items), "settings": dict(settings), "k": scaled.k, "recall": scaled.recall, "folder": str(index),
    }  # fmt: skip
    outcome = run_worker([str(_SCANN_WORKER)], spec, {"query": queries, "exact": exact}, timeout_s=_BUILD_S)
    if not outcome:
        raise CheckFailed(f"ScaNN could not be built over {scaled.n_items:,} items: {outcome.reason}")
    return outcome.meta


def _served(scaled: Scaled, form: str, spec: dict[str, Any], queries: np.ndarray, **more: Any) -> Subject:
    fields = scaled.fields(
        subject="server/scann/native", form=form, runtime="native", threads=1, covers="index", configuration=form, **more
    )  # fmt: skip

    def measure(warmup: int, samples: int) -> Outcome:
        counts = {"k": scaled.k, "warmup": warmup, "samples": samples}
        feeds = {"query": queries[:samples]}
        return run_worker([str(SERVER_WORKER)], {**spec, **counts}, feeds, timeout_s=_MEASURE_S)

    return Subject(f"scann-{form}-n{scaled.n_items}-d{scaled.items.shape[1]}", fields, measure)
