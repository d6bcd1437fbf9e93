"""Parts of a manifest, made from a run and its variants."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core.documents import kit_version
from ...core.errors import CheckFailed, InputError
from ...core.files.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.records.agreement import METRICS
from ...core.records.parity import ParityRow
from ...core.records.record import Json
from ...core.records.variants import Variant
from ...core.run_dir import Run
from ...core.scoring import DEFAULT_K, STARS_WEIGHT
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.model_file.vocabulary_stamp import known_by
from ..format.contract import model_rows
from ..format.layouts import LAYOUTS
from ..format.manifest import BUNDLE_SCHEMA, BundledModel, Manifest, VocabularyFile
from .bundle_writer import NO_CONTRACT, BundleWriter
from .variant_selection import rows_of

_ORDER = ("items", "preferences", "genres", "users")
_CELL = ("graph", "recipe", "runtime", "target", "status", "n_queries")


def first_manifest(
    writer: BundleWriter, run: Run, layout: str, variants: Sequence[Variant], results: Sequence[ParityRow], version: int
) -> Manifest:
    """Copy models, items and vocabularies into a bundle; returns its manifest, without candidates, files and contract.

    Args:
        layout: a key of `LAYOUTS`.
        variants: one per graph of the layout.
        results: parity.json's rows.
    """
    record, data = run.record, HeldOut(run)
    for variant in variants:
        writer.copy(run.converted / variant.file, f"models/{variant.file}", "model")
    writer.copy(run.trained / "items.json", "items.json", "items")
    k = next((variant.results_per_call for variant in variants if variant.results_per_call), None)
    predicts_ratings = any(port.name == "rating" for variant in variants for port in variant.outputs)
    return Manifest(
        schema=BUNDLE_SCHEMA,
        kit_version=kit_version(),
        name=re.sub(r"[^a-z0-9.]+", "-", f"{record.data.name}-{record.preset}".lower()),
        version=version,
        made_from_sha256=sha256_file(run.trained / "run.json"),
        layout=layout,
        files=[],
        models=[_model(writer.folder, variant) for variant in variants],
        vocabularies=[_vocabulary(writer, run, name) for name in _vocabulary_names(run, layout, variants)],
        items="items.json",
        candidates=None,
        window=record.window,
        rating_range=list(record.data.rating_range),
        stars_weight=STARS_WEIGHT if predicts_ratings and "recommender" in record.graphs else None,
        k=k or min(DEFAULT_K, len(data.items)),
        golden="golden.json",
        parity=[parity_summary(row) for variant in variants for row in rows_of(results, variant)],
        contract=NO_CONTRACT,
        key_id=None,
        signature=None,
        update=None,
        history_weights=run.history_weights,
    )


def _model(folder: Path, variant: Variant) -> BundledModel:
    file = f"models/{variant.file}"
    try:
        rows = model_rows(read_tflite(folder / file))
    except CheckFailed as error:
        raise InputError(
            variant.file,
            expected="a model that names its vocabularies",
            given="none",
            do="run `pocketrec convert RUN`",
            code="MODEL_MISMATCH",
        ) from error
    kept = {key: variant.to_json()[key] for key in ("graph", "recipe", "inputs", "outputs", "min_runtime")}
    return BundledModel.from_json({**kept, "file": file, "rows": rows})


def _vocabulary_names(run: Run, layout: str, variants: Iterable[Variant]) -> list[str]:
    ports = [port.to_json() for variant in variants for port in (*variant.inputs, *variant.outputs)]
    needed = {*known_by(ports), "items"}
    if LAYOUTS[layout].stores_candidates and (run.trained / "vocabularies" / "genres.txt").is_file():
        needed.add("genres")  # the client narrows lists itself
    return [name for name in _ORDER if name in needed]


def _vocabulary(writer: BundleWriter, run: Run, name: str) -> VocabularyFile:
    file = f"vocabularies/{name}.txt"
    size = writer.copy(run.trained / file, file, "vocabulary").read_bytes().count(b"\n")
    return VocabularyFile.from_json({"name": name, "file": file, "size": size, "oov_index": size})


def parity_summary(row: ParityRow) -> Json:
    """What the manifest repeats of a row of parity.json."""
    metrics = {name: getattr(row.metrics, name) for name, metric in METRICS.items() if metric.in_bundle}
    return {name: getattr(row, name) for name in _CELL} | metrics
