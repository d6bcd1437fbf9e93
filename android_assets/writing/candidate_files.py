"""Storing the catalogue's vectors beside an encoder, if the lists found with them pass."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...benchmarks.parity.judging.gates import read_gates
from ...benchmarks.parity.reference import load_reference, references
from ...core.errors import CheckFailed
from ...core.queries.held_out import HeldOut
from ...core.queries.packing import part
from ...core.records.parity import ParityRow
from ...core.records.variants import Variant
from ...core.run_dir import Run
from ...runtimes.launch import run_variant
from ..format.candidates import write_rows
from ..format.manifest import CandidatesFile, Manifest
from .bundle_writer import BundleWriter
from .candidate_rows import JUDGED_AS, judge_rows, require_passed, stored_rows
from .catalogue_growth import NextCatalogue
from .manifest_parts import parity_summary

_FILE = "candidates.npy"


def add_candidates(
    writer: BundleWriter,
    manifest: Manifest,
    run: Run,
    encoder: Variant,
    runtimes: Sequence[str],
    catalogue: NextCatalogue | None = None,
) -> tuple[Manifest, float]:
    """Store candidates beside an encoder, and judge the lists found with them on each runtime.

    Args:
        encoder: the bundled query encoder.
        runtimes: keys of `RUNTIMES`.
        catalogue: in place of the items that the run was trained with.

    Returns:
        The manifest with candidates and the judgements, and the largest difference of a score.

    Raises:
        CheckFailed: they miss the gate of a retriever of the same recipe.
    """
    data = HeldOut(run)
    vectors = np.load(run.trained / _FILE) if catalogue is None else catalogue.vectors
    rows, scale = stored_rows(vectors, encoder.recipe)
    write_rows(writer.add(_FILE, "candidates"), rows)
    users, _ = references(load_reference(run, data), data)
    users = users if catalogue is None else catalogue.asked(users)
    gate = read_gates().find(JUDGED_AS, encoder.recipe)
    feeds = part(data.feeds(port.name for port in encoder.inputs), 0, len(data.queries))
    judged: list[ParityRow] = []
    for runtime in runtimes:
        outcome = run_variant(run.converted / encoder.file, feeds, runtime=runtime)
        if not outcome:
            reason = f"{encoder.file} does not run on {runtime}: {outcome.reason}"
            raise CheckFailed(reason, code="RUNTIME_FAILED")
        judged.append(judge_rows(outcome, rows, scale, users, gate, recipe=encoder.recipe, runtime=runtime))
    require_passed(judged)
    stored = CandidatesFile.from_json(
        {"file": _FILE, "dtype": rows.dtype.name, "shape": list(rows.shape), "scale": scale}
    )
    parity = [*manifest.parity, *(parity_summary(row) for row in judged)]
    return replace(manifest, candidates=stored, parity=parity), max(row.metrics.max_abs_diff or 0.0 for row in judged)
