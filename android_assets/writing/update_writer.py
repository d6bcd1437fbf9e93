"""Writing updates: a new catalogue for an installed bundle, without its models."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...core.documents import kit_version
from ...core.errors import InputError
from ...core.files.atomic import atomic_dir, require_empty
from ...core.files.hashing import sha256_file
from ...core.files.vocabulary_files import write_lines, write_vocabulary
from ...core.queries.held_out import HeldOut
from ...core.queries.query import Query
from ...core.records.variants import Variant
from ...core.run_dir import Run, check_unchanged
from ...core.scoring import DEFAULT_K
from ..answering.bundle import Bundle
from ..format.layouts import ENCODER, LAYOUTS
from ..format.manifest import MANIFEST, BundledFile, Manifest, UpdateInfo, VocabularyFile
from ..format.signing import read_private_key
from ..reading.golden_checks import read_golden
from ..reading.update_compatibility import check_follows
from ..reading.verify import open_bundle, verify_bundle
from .bundle_writer import NO_CONTRACT, BundleWriter
from .candidate_files import add_candidates
from .catalogue_growth import NextCatalogue, next_catalogue
from .golden_vectors import LEAST_TOLERANCE, add_golden
from .options import StrPath, UpdateOptions, check_version
from .variant_selection import required_places

# Items before a new one in the golden history that holds it.
_FEW = 3


@dataclass(frozen=True)
class WrittenUpdate:
    """An update that was written.

    Attributes:
        path: its folder.
        manifest: that of the whole next bundle.
        shipped: the files that the base lacks.
        notes: what is odd about the new items, one line each.
    """

    path: Path
    manifest: Manifest
    shipped: list[BundledFile]
    notes: list[str]


@dataclass(frozen=True)
class _Sources:
    """What an update is made from.

    Attributes:
        encoder: the run's variant that is the base's encoder.
        runtimes: where the new lists are judged.
    """

    run: Run
    base: Bundle
    catalogue: NextCatalogue
    encoder: Variant
    runtimes: Sequence[str]


def write_update(run: Run, out: StrPath, options: UpdateOptions) -> WrittenUpdate:
    """Write an update: the next bundle's manifest, and those of its files that the base lacks.

    The whole next bundle is made, judged and verified; then what it shares with the base is left out. int8 rows have one scale,
    set by the largest element: where a new row has it, the scale rises and old rows are rounded anew from their float32 vectors.

    Raises:
        InputError: an option that cannot be, `out` not empty, an encoder or vocabularies that are not the base's, nothing new.
        CheckFailed: the base is not what its manifest says, or the new lists miss their gate.
    """
    out = Path(out)
    require_empty(out)
    if options.sign_key is not None:
        read_private_key(Path(options.sign_key))
    runtimes = sorted({runtime for runtime, _ in required_places(options.runtimes)})
    with open_bundle(options.base, keys=options.keys) as base, TemporaryDirectory() as place:
        version = _next_version(base.manifest, options.version)
        encoder = _same_models(run, base)
        catalogue, notes = next_catalogue(run, base, None if options.new_items is None else Path(options.new_items))
        writer = BundleWriter(Path(place) / "bundle")
        sources = _Sources(run, base, catalogue, encoder, runtimes)
        manifest = writer.seal(_fill(writer, sources, version), options.sign_key)
        verify_bundle(writer.folder)
        check_follows(base, Bundle(writer.folder, manifest))
        shipped = [row for row in manifest.files if row.path not in manifest.from_base]
        signature = [manifest.signature] if manifest.signature else []
        with atomic_dir(out) as folder:
            for name in [*(row.path for row in shipped), MANIFEST, *signature]:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(writer.folder / name, folder / name)
    return WrittenUpdate(out, manifest, shipped, notes)


def _next_version(base: Manifest, version: int | None) -> int:
    if not LAYOUTS[base.layout].updatable:
        updatable = " or ".join(name for name, layout in LAYOUTS.items() if layout.updatable)
        raise InputError(
            "--base",
            expected=f"a bundle of the layout {updatable}",
            given=f"one of the layout {base.layout}, whose catalogue is inside a model",
            do=f"write it with `pocketrec bundle RUN --layout {updatable}`",
            code="UPDATE_INCOMPATIBLE",
        )
    least = base.version + 1
    chosen = least if version is None else version
    check_version(chosen)
    if chosen < least:
        raise InputError(
            "--version",
            expected=f"{least} or more, the base has {least - 1}",
            given=chosen,
            do="leave it out",
            code="UPDATE_NOT_NEWER",
        )
    return chosen


def _same_models(run: Run, base: Bundle) -> Variant:
    """The run's variant of the base's encoder, where all of the base's models are the run's.

    Raises:
        InputError: one was not converted or is another one, or vocabularies other than that of items differ.
    """
    ship = f"ship a full bundle: `pocketrec bundle RUN --layout {base.manifest.layout}`"
    found: dict[str, Variant] = {}
    for model in base.manifest.models:
        digest = base.manifest.digests[model.file]
        same = [v for v in run.variants if (v.graph, v.recipe) == (model.graph, model.recipe)]
        if not same or same[0].sha256 != digest:
            given = f"sha256 {same[0].sha256[:12]}…" if same else "none"
            expected = f"the base's {model.graph} {model.recipe}, sha256 {digest[:12]}…"
            raise InputError("RUN", expected=expected, given=given, do=ship, code="UPDATE_INCOMPATIBLE")
        check_unchanged(run, same[0])
        found[model.graph] = same[0]
    for row in base.manifest.vocabularies:
        mine = run.trained / "vocabularies" / f"{row.name}.txt"
        is_same = mine.is_file() and sha256_file(mine) == base.manifest.digests[row.file]
        if row.name != "items" and not is_same:
            expected = f"the base's vocabulary of {row.name}"
            raise InputError("RUN", expected=expected, given="another", do=ship, code="UPDATE_INCOMPATIBLE")
    return found[ENCODER]


def _fill(writer: BundleWriter, sources: _Sources, version: int) -> Manifest:
    """Write the next bundle but for manifest and signature; returns its manifest.

    Raises:
        InputError: nothing is new.
        CheckFailed: lists miss the gate of a retriever.
    """
    run, base, catalogue = sources.run, sources.base, sources.catalogue
    manifest = _next_manifest(writer, sources, version)
    manifest, difference = add_candidates(writer, manifest, run, sources.encoder, sources.runtimes, catalogue)
    if not _new_files(writer, base):
        raise InputError(
            "RUN",
            expected="something that the base lacks",
            given="the base's items with the base's titles, genres and vectors",
            do="pass --new-items FILE, or change the run's items.json and candidates.npy",
            code="CATALOGUE_INVALID",
        )
    data, graphs = HeldOut(run), {model.file: model.graph for model in base.manifest.models}
    tolerances: dict[str, float] = {}
    for vector in read_golden(base).vectors:
        graph = graphs[vector.model]
        tolerances[graph] = max(tolerances.get(graph, 0.0), vector.tolerance)
    of_answers = tolerances | {ENCODER: max(LEAST_TOLERANCE, 2 * difference)}  # of scores, not of the vector's elements
    n_old = len(base.items)
    new = [_after_using(data.queries[0], n_old)] if len(catalogue.items) > n_old else []
    add_golden(writer, manifest, data, tolerances, sum(of_answers.values()), new)
    shipped = _new_files(writer, base)
    from_base = [row.path for row in writer.files() if row.path not in shipped]
    return replace(manifest, update=UpdateInfo(base.manifest.version, from_base))


def _new_files(writer: BundleWriter, base: Bundle) -> set[str]:
    """Paths of files that the base lacks, or has otherwise."""
    available = base.manifest.digests
    return {row.path for row in writer.files() if available.get(row.path) != row.sha256}


def _next_manifest(writer: BundleWriter, sources: _Sources, version: int) -> Manifest:
    """Write the next bundle's models, vocabularies and items; returns its manifest, without candidates."""
    base, catalogue = sources.base.manifest, sources.catalogue
    for file in base.files:
        if file.role in ("model", "vocabulary"):
            writer.copy(sources.base.folder / file.path, file.path, file.role)
    n, vocabularies = len(catalogue.items), list(base.vocabularies)
    for place, row in enumerate(vocabularies):
        if row.name == "items":
            write_vocabulary(writer.folder / row.file, catalogue.ids)
            vocabularies[place] = VocabularyFile(row.name, row.file, n, n)
    write_lines(writer.add(base.items, "items"), [item.to_json() for item in catalogue.items])
    graphs = {model.graph for model in base.models}
    return replace(
        base,
        kit_version=kit_version(),
        version=version,
        made_from_sha256=sha256_file(sources.run.trained / "run.json"),
        files=[],
        vocabularies=vocabularies,
        k=min(DEFAULT_K, n),
        parity=[row for row in base.parity if row.get("graph") in graphs],
        contract=NO_CONTRACT,
    )


def _after_using(query: Query, item: int) -> Query:
    """A query of somebody who has just used an item, without rating it."""
    seen, ratings = np.append(query.seen[-_FEW:], item), np.append(query.stars[-_FEW:], 0)
    return replace(query, seen=seen.astype(np.int32), stars=ratings.astype(np.float32))
