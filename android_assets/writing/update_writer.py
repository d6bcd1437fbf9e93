"""Writing updates: a new catalogue for an installed bundle of the split layout, without its models."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ...core.atomic import atomic_dir, require_empty
from ...core.documents import kit_version
from ...core.errors import InputError
from ...core.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.queries.query import Query
from ...core.run_dir import Run, check_unchanged
from ...core.scoring import DEFAULT_K
from ...core.vocabulary_files import write_lines, write_vocabulary
from ..answering.bundle_inference import Loaded
from ..format.layouts import LAYOUTS
from ..format.signing import read_private_key
from ..reading.update_compatibility import check_follows
from ..reading.verify import opened_bundle, verify_bundle
from .catalogue_growth import NextCatalogue, next_catalogue
from .variant_selection import required_places
from .writer import Draft, add_candidates, add_golden, check_version, seal

Say = Callable[[str], None]
_ENCODER = "query_encoder"
# Films before a new one in the golden history that holds it.
_FEW = 3


@dataclass(frozen=True)
class UpdateWish:
    """What an update shall be.

    Attributes:
        base: the bundle it is for: split layout, folder or zip.
        new_items: a file of items that nobody has rated; None where the run's own catalogue has changed.
        version: the base's and one when None.
        sign_key: Ed25519 private key (PEM) to sign with.
        keys: Ed25519 public keys (PEM), by one of which the base must be signed.
        runtimes: where its lists are judged; what apps ship when empty.
    """

    base: Path
    new_items: Path | None = None
    version: int | None = None
    sign_key: Path | None = None
    keys: Sequence[Path] = ()
    runtimes: Sequence[str] = ()


def write_update(
    run: Run, out: Path, wish: UpdateWish, say: Say = lambda text: None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write an update: the next bundle's manifest, and those of its files that the base lacks.

    The whole next bundle is made, judged and verified; then what it shares with the base is left away. int8 rows have one scale,
    set by the largest element: where a new row has it, the scale rises and old rows are rounded anew from their float32 vectors.

    Returns:
        The manifest, and entries of `files` that the update ships.

    Raises:
        InputError: an option is no good, `out` is not empty, the run's encoder or vocabularies are not the base's, nothing is new.
        CheckFailed: the base is not what its manifest says, or the new lists miss their gate.
    """
    require_empty(out)
    if wish.sign_key is not None:
        read_private_key(wish.sign_key)
    runtimes = sorted({runtime for runtime, _ in required_places(wish.runtimes)})
    with opened_bundle(wish.base, keys=wish.keys) as base, TemporaryDirectory() as place:
        version = _next_version(base.manifest, wish.version)
        encoder = _same_encoder(run, base)
        catalogue = next_catalogue(run, base, wish.new_items, say)
        draft = _draft(Path(place) / "bundle", run, base, catalogue, version)
        _fill(draft, run, base, catalogue, encoder, runtimes)
        seal(draft, wish.sign_key)
        verify_bundle(draft.folder)
        check_follows(base, Loaded(draft.folder, draft.manifest))
        shipped = [row for row in draft.manifest["files"] if row["path"] not in draft.manifest["update"]["from_base"]]
        signature = [draft.manifest["signature"]] if wish.sign_key else []
        with atomic_dir(out) as folder:
            for name in [*(row["path"] for row in shipped), "manifest.json", *signature]:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(draft.folder / name, folder / name)
    return draft.manifest, shipped


def _next_version(base: Mapping[str, Any], version: int | None) -> int:
    if not LAYOUTS[base["layout"]].has_candidates:
        given = f"one of the layout {base['layout']}, whose catalogue is inside a model"
        do = "write it with `pocketrec bundle RUN --layout split`"
        raise InputError("--base", expected="a bundle of the layout split", given=given, do=do)
    least = base["version"] + 1
    chosen = least if version is None else version
    check_version(chosen)
    if chosen < least:
        raise InputError(
            "--version", expected=f"{least} or more, the base has {least - 1}", given=chosen, do="leave it out"
        )
    return chosen


def _same_encoder(run: Run, base: Loaded) -> dict[str, Any]:
    """The run's variant of the base's encoder.

    Raises:
        InputError: it was not converted or is another one, or other vocabularies than of items differ.
    """
    model = base.models[_ENCODER]
    ship = "ship a full bundle: `pocketrec bundle RUN --layout split`"
    of_recipe = [v for v in run.variants_json["variants"] if (v["graph"], v["recipe"]) == (_ENCODER, model["recipe"])]
    digest = sha256_file(base.folder / model["file"])
    if not of_recipe or of_recipe[0]["sha256"] != digest:
        given = f"sha256 {of_recipe[0]['sha256'][:12]}…" if of_recipe else "none"
        expected = f"the base's {_ENCODER} {model['recipe']}, sha256 {digest[:12]}…"
        raise InputError("RUN", expected=expected, given=given, do=ship)
    check_unchanged(run, of_recipe[0])
    for row in base.manifest["vocabularies"]:
        mine = run.trained / "vocabularies" / f"{row['name']}.txt"
        if row["name"] != "items" and (
            not mine.is_file() or sha256_file(mine) != sha256_file(base.folder / row["file"])
        ):
            raise InputError("RUN", expected=f"the base's vocabulary of {row['name']}", given="another", do=ship)
    return of_recipe[0]


def _draft(folder: Path, run: Run, base: Loaded, catalogue: NextCatalogue, version: int) -> Draft:
    """The next bundle without candidates and golden queries.

    Raises:
        InputError: its items are the base's.
    """
    draft, n = Draft(folder), len(catalogue.items)
    for row in base.manifest["files"]:
        if row["role"] in ("model", "vocabulary"):
            draft.copy(base.folder / row["path"], row["path"], row["role"])
    vocabularies = [dict(row) for row in base.manifest["vocabularies"]]
    for row in vocabularies:
        if row["name"] == "items":
            write_vocabulary(folder / row["file"], catalogue.ids)
            row |= {"size": n, "oov_index": n}
    write_lines(draft.made(base.manifest["items"], "items"), catalogue.items)
    draft.manifest |= {
        **base.manifest,
        "kit_version": kit_version(),
        "version": version,
        "made_from_sha256": sha256_file(run.trained / "run.json"),
        "files": [],
        "vocabularies": vocabularies,
        "k": min(DEFAULT_K, n),
        "parity": [row for row in base.manifest["parity"] if row["graph"] == _ENCODER],
    }
    return draft


def _fill(
    draft: Draft, run: Run, base: Loaded, catalogue: NextCatalogue, encoder: Mapping[str, Any], runtimes: Sequence[str]
) -> None:
    """Candidates, golden queries, and what of all this the base has.

    Raises:
        InputError: nothing is new.
        CheckFailed: lists miss the gate of a retriever.
    """
    data, n_old = HeldOut(run), len(base.items)
    judged = add_candidates(draft, run, data, encoder, runtimes, catalogue)
    there = {row["path"]: row["sha256"] for row in base.manifest["files"]}
    if all(there.get(row["path"]) == row["sha256"] for row in draft.entries()):
        given = "the base's items with the base's titles, genres and vectors"
        do = "pass --new-items FILE, or change the run's items.json and candidates.npy"
        raise InputError("RUN", expected="something that the base lacks", given=given, do=do)
    golden = json.loads((base.folder / base.manifest["golden"]).read_text(encoding="utf-8"))
    tolerances = {_ENCODER: max(vector["tolerance"] for vector in golden["vectors"])}
    tolerance = max(1e-5, 2 * max(row["metrics"]["max_abs_diff"] for row in judged))
    new = [_watched(data.queries[0], n_old)] if len(catalogue.items) > n_old else []
    add_golden(draft, data, tolerances, tolerance, new)
    from_base = sorted(row["path"] for row in draft.entries() if there.get(row["path"]) == row["sha256"])
    draft.manifest["update"] = {"base_version": base.manifest["version"], "from_base": from_base}


def _watched(query: Query, item: int) -> Query:
    """Somebody who has just watched an item, not rated it."""
    seen, stars = np.append(query.seen[-_FEW:], item), np.append(query.stars[-_FEW:], 0)
    return replace(query, seen=seen.astype(np.int32), stars=stars.astype(np.float32))
