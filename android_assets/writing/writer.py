"""Writing a bundle: the models of one layout with everything an app needs to use and to check them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...convert.quantize.recipes import DEFAULT_RECIPE
from ...core.errors import InputError
from ...core.files.atomic import atomic_dir, require_empty
from ...core.files.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.records.parity import ParityReport, ParityRow
from ...core.records.variants import Variant
from ...core.run_dir import Run, check_unchanged
from ..format.layouts import ENCODER, LAYOUTS, chosen_layout
from ..format.manifest import Manifest
from .bundle_writer import BundleWriter
from .candidate_files import add_candidates
from .golden_vectors import LEAST_TOLERANCE, add_golden
from .manifest_parts import first_manifest
from .options import BundleOptions, StrPath
from .variant_selection import PassedOver, choose, required_places, rows_of


@dataclass(frozen=True)
class WrittenBundle:
    """A bundle that was written.

    Attributes:
        path: its folder.
        passed_over: with `auto`, each smaller variant that was refused.
    """

    path: Path
    manifest: Manifest
    passed_over: list[PassedOver]


@dataclass(frozen=True)
class _Contents:
    """What a bundle is made from.

    Attributes:
        layout: a key of `LAYOUTS`.
        variants: one per graph of the layout.
        runtimes: where lists found among stored candidates are judged.
    """

    layout: str
    variants: Sequence[Variant]
    results: Sequence[ParityRow]
    runtimes: Sequence[str]
    version: int


def write_bundle(run: Run, out: StrPath, options: BundleOptions | None = None) -> WrittenBundle:
    """Write a bundle of a run. The same run and options give the same bytes.

    Raises:
        InputError: an option that cannot be, `out` not empty, parity never run, or run on other files.
        CheckFailed: a wanted variant missed a gate, or never ran where it must.
    """
    options, out = options or BundleOptions(), Path(out)
    require_empty(out)
    options.check()
    results = current_parity(run).results
    required = required_places(options.runtimes, options.targets)
    recipe = None if options.auto else options.recipe or DEFAULT_RECIPE
    variants = run.variants
    graphs = {v.graph for v in variants if recipe in (None, v.recipe)}
    layout = chosen_layout(options.layout, graphs, is_implicit=run.record.data.is_implicit)
    chosen: list[Variant] = []
    passed_over: list[PassedOver] = []
    for graph in LAYOUTS[layout].graphs:
        variant, smaller = choose(variants, results, graph, recipe, required)
        check_unchanged(run, variant)
        chosen.append(variant)
        passed_over += smaller
    runtimes = sorted({runtime for runtime, _ in required})
    with atomic_dir(out) as folder:
        manifest = _write(folder, run, _Contents(layout, chosen, results, runtimes, options.version), options.sign_key)
    return WrittenBundle(out, manifest, passed_over)


def current_parity(run: Run) -> ParityReport:
    """parity.json of the variants as they are now.

    Raises:
        InputError: there is none, or it is about other variants.
    """
    parity = ParityReport.read(run)
    if parity.made_from_sha256 != sha256_file(run.converted / "variants.json"):
        raise InputError(
            "parity.json",
            expected="results of these variants",
            given="results of different ones",
            do="run `pocketrec parity RUN` again",
            code="INPUT_CHANGED",
        )
    return parity


def _write(folder: Path, run: Run, contents: _Contents, sign_key: StrPath | None) -> Manifest:
    """Fill an empty folder; returns the manifest."""
    writer = BundleWriter(folder)
    manifest = first_manifest(writer, run, contents.layout, contents.variants, contents.results, contents.version)
    tolerances = {variant.graph: _tolerance(contents.results, variant) for variant in contents.variants}
    of_answers = dict(tolerances)
    if LAYOUTS[contents.layout].stores_candidates:
        encoder = next(variant for variant in contents.variants if variant.graph == ENCODER)
        manifest, difference = add_candidates(writer, manifest, run, encoder, contents.runtimes)
        of_answers[ENCODER] = max(LEAST_TOLERANCE, 2 * difference)  # of scores, not of the vector's elements
    add_golden(writer, manifest, HeldOut(run), tolerances, sum(of_answers.values()))
    return writer.seal(manifest, sign_key)


def _tolerance(results: Sequence[ParityRow], variant: Variant) -> float:
    """Twice the largest difference that parity saw on any runtime, and never less than float32 rounding."""
    metrics = [row.metrics for row in rows_of(results, variant)]
    seen = [value for row in metrics for value in (row.max_abs_diff, row.rating_max_abs_diff) if value is not None]
    return max(LEAST_TOLERANCE, 2 * max(seen))
