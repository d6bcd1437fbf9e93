"""Writing a bundle: the models of one layout with everything an app needs to use and to check them."""

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmarks.parity.gates import read_gates
from ...benchmarks.parity.reference import load_reference, references
from ...convert.quantize.recipes import DEFAULT_RECIPE, RECIPES
from ...core.atomic import atomic_dir, require_empty
from ...core.documents import PARITY_SCHEMA, kit_version, read_json
from ...core.errors import CheckFailed, InputError, pick
from ...core.hashing import sha256_file
from ...core.queries.held_out import HeldOut
from ...core.queries.packing import part
from ...core.queries.query import Query
from ...core.records.agreement import METRICS
from ...core.records.parity import ParityRow
from ...core.run_dir import Run, check_unchanged
from ...core.scoring import DEFAULT_K, STARS_WEIGHT
from ...runtimes.launch import run_variant
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.model_file.vocabulary_stamp import known_by
from ..answering.bundle_inference import Loaded
from ..format.candidates import write_rows
from ..format.contract import contract_sha256, model_rows
from ..format.golden import to_text
from ..format.layouts import LAYOUTS, chosen_layout
from ..format.manifest import BUNDLE_SCHEMA, MOST_VERSION
from ..format.signing import key_id, read_private_key
from .candidate_rows import JUDGED_AS, judge_rows, require_passed, stored_rows
from .catalogue_growth import NextCatalogue
from .golden_vectors import make_golden
from .variant_selection import choose, required_places, results_of
from .zip_writer import set_times

_TOP = 10
# Films of the short golden history.
_FEW = 3


@dataclass(frozen=True)
class Wish:
    """What a bundle shall be.

    Attributes:
        recipe: a key of `RECIPES`; `dynamic_int8` when None and not `auto`.
        auto: the smallest variant of each graph that passed every gate wherever it must.
        layout: a key of `LAYOUTS`; the first that was converted when None.
        runtimes, targets: where a variant must have passed; what apps ship, on this machine, when empty.
        sign_key: Ed25519 private key (PEM) to sign the manifest with.
        version: whole number that rises with every release.
    """

    recipe: str | None = None
    auto: bool = False
    layout: str | None = None
    runtimes: Sequence[str] = ()
    targets: Sequence[str] = ()
    sign_key: Path | None = None
    version: int = 1

    def check(self) -> None:
        """Raises:
        InputError: options that exclude each other, a version out of range, an unreadable key.
        """
        if self.recipe is not None and self.auto:
            raise InputError("--recipe", expected="either --recipe or --auto", given="both", do="leave one out")
        if self.recipe is not None:
            pick("--recipe", self.recipe, RECIPES)
        check_version(self.version)
        if self.sign_key is not None:
            read_private_key(self.sign_key)


def check_version(version: int) -> None:
    """Raises:
    InputError: not a positive int32, which every client can hold.
    """
    if not 1 <= version <= MOST_VERSION:
        raise InputError("--version", expected=f"1 or more, up to {MOST_VERSION}", given=version, do="choose another")


@dataclass
class Draft:
    """A bundle that is being written: the folder, and what its manifest will say."""

    folder: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    def copy(self, source: Path, name: str, role: str) -> Path:
        """Take a file in."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self.folder / name)
        return self.made(name, role)

    def made(self, name: str, role: str) -> Path:
        """Count a file in that lies in the folder."""
        self.roles[name] = role
        return self.folder / name

    def entries(self) -> list[dict[str, Any]]:
        """`files` of the manifest."""
        sized = [(name, role, self.folder / name) for name, role in sorted(self.roles.items())]
        return [
            {"path": name, "role": role, "sha256": sha256_file(path), "bytes": path.stat().st_size}
            for name, role, path in sized
        ]


def write_bundle(run: Run, out: Path, wish: Wish | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write a bundle of a run. The same run and wish give the same bytes.

    Returns:
        The manifest; and with `auto` each smaller variant that was refused, and why.

    Raises:
        InputError: an option that is no good, `out` not empty, parity never run, or run on other files.
        CheckFailed: a wanted variant missed a gate, or never ran where it must.
    """
    wish = wish or Wish()
    require_empty(out)
    wish.check()
    parity = current_parity(run)
    required = required_places(wish.runtimes, wish.targets)
    recipe = None if wish.auto else wish.recipe or DEFAULT_RECIPE
    variants = run.variants_json["variants"]
    layout = chosen_layout(wish.layout, {v["graph"] for v in variants if recipe in (None, v["recipe"])})
    chosen, refused = [], []
    for graph in LAYOUTS[layout].graphs:
        variant, passed_over = choose(variants, parity["results"], graph, recipe, required)
        check_unchanged(run, variant)
        chosen.append(variant)
        refused += passed_over
    with atomic_dir(out) as folder:
        draft = Draft(folder)
        _fill(draft, run, layout, chosen, parity, wish.version, sorted({runtime for runtime, _ in required}))
        seal(draft, wish.sign_key)
    return draft.manifest, refused


def current_parity(run: Run) -> dict[str, Any]:
    """parity.json of the variants as they are now.

    Raises:
        InputError: there is none, or one of others.
    """
    parity = read_json(run.reports / "parity.json", PARITY_SCHEMA)
    if parity.get("made_from_sha256") != sha256_file(run.converted / "variants.json"):
        raise InputError(
            "parity.json",
            expected="a parity run of these variants",
            given="one of others",
            do="run `pocketrec parity RUN`",
        )
    return parity


def seal(draft: Draft, sign_key: Path | None) -> None:
    """Write manifest and signature, last; names, modes and times as they stay."""
    key = read_private_key(sign_key) if sign_key else None
    manifest, folder = draft.manifest, draft.folder
    manifest["files"] = draft.entries()
    manifest["contract"] = contract_sha256(folder, manifest)
    manifest["key_id"] = key_id(key.public_key()) if key else None
    manifest["signature"] = "manifest.sig" if key else None
    write_manifest(folder, manifest, key)


def write_manifest(folder: Path, manifest: Mapping[str, Any], key: Any) -> None:
    """manifest.json, and with a private key manifest.sig; modes and times of everything."""
    text = (json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if key is not None:
        (folder / "manifest.sig").write_bytes(key.sign(text))
    (folder / "manifest.json").write_bytes(text)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    if (epoch := os.environ.get("SOURCE_DATE_EPOCH")) is not None:
        set_times(folder, epoch)


def _fill(
    draft: Draft, run: Run, layout: str, variants: Sequence[dict[str, Any]], parity: Mapping[str, Any], version: int,
    runtimes: Sequence[str],
) -> None:  # fmt: skip
    record, data = run.run_json, HeldOut(run)
    for variant in variants:
        draft.copy(run.converted / variant["file"], f"models/{variant['file']}", "model")
    draft.copy(run.trained / "items.json", "items.json", "items")
    k = [port["shape"][0] for variant in variants for port in variant["outputs"] if port["name"] == "ids"]
    ranks = any(port["name"] == "rating" for variant in variants for port in variant["outputs"])
    draft.manifest |= {
        "schema": BUNDLE_SCHEMA,
        "kit_version": kit_version(),
        "name": re.sub(r"[^a-z0-9.]+", "-", f"{record['data']['name']}-{record['preset']}".lower()),
        "version": version,
        "made_from_sha256": sha256_file(run.trained / "run.json"),
        "layout": layout,
        "files": [],
        "models": [_model(draft.folder, variant) for variant in variants],
        "vocabularies": [_vocabulary(draft, run, name) for name in _vocabulary_names(run, layout, variants)],
        "items": "items.json",
        "candidates": None,
        "window": record["window"],
        "rating_range": record["data"]["rating_range"],
        "stars_weight": STARS_WEIGHT if ranks and "recommender" in record["graphs"] else None,
        "k": k[0] if k else min(DEFAULT_K, len(data.items)),
        "golden": "golden.json",
        "parity": [row for variant in variants for row in _summary(parity["results"], variant)],
        "contract": None,
        "key_id": None,
        "signature": None,
        "update": None,
    }
    tolerances = {variant["graph"]: _tolerance(parity, variant) for variant in variants}
    tolerance = sum(tolerances.values())
    if LAYOUTS[layout].has_candidates:
        judged = add_candidates(draft, run, data, variants[0], runtimes)
        tolerance = max(1e-5, 2 * max(row["metrics"]["max_abs_diff"] for row in judged))
    add_golden(draft, data, tolerances, tolerance)


def _vocabulary_names(run: Run, layout: str, variants: Iterable[Mapping[str, Any]]) -> list[str]:
    needed = {name for variant in variants for name in known_by([*variant["inputs"], *variant["outputs"]])} | {"items"}
    if LAYOUTS[layout].has_candidates and (run.trained / "vocabularies" / "genres.txt").is_file():
        needed.add("genres")  # the client narrows lists itself
    return [name for name in ("items", "preferences", "genres", "users") if name in needed]


def _vocabulary(draft: Draft, run: Run, name: str) -> dict[str, Any]:
    file = f"vocabularies/{name}.txt"
    size = draft.copy(run.trained / file, file, "vocabulary").read_bytes().count(b"\n")
    return {"name": name, "file": file, "size": size, "oov_index": size}


def _model(folder: Path, variant: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: variant[key] for key in ("graph", "recipe", "inputs", "outputs", "min_runtime")}
    file = f"models/{variant['file']}"
    try:
        rows = model_rows(read_tflite(folder / file))
    except CheckFailed as error:
        raise InputError(
            variant["file"], expected="a model that names its vocabularies", given="none", do="run `pocketrec convert RUN`"
        ) from error  # fmt: skip
    return {**kept, "file": file, "rows": rows}


def add_candidates(
    draft: Draft, run: Run, data: HeldOut, encoder: Mapping[str, Any], runtimes: Sequence[str],
    catalogue: NextCatalogue | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Store candidates beside an encoder, and add what its lists are worth on each runtime to the parity summary.

    Args:
        catalogue: in place of the items that the run was trained with.

    Raises:
        CheckFailed: they miss the gate of a retriever of the same recipe.
    """
    vectors = np.load(run.trained / "candidates.npy") if catalogue is None else catalogue.vectors
    rows, scale = stored_rows(vectors, encoder["recipe"])
    write_rows(draft.made("candidates.npy", "candidates"), rows)
    draft.manifest["candidates"] = {
        "file": "candidates.npy", "dtype": rows.dtype.name, "shape": list(rows.shape), "scale": scale,
    }  # fmt: skip
    users, _ = references(load_reference(run, data), data)
    users = users if catalogue is None else catalogue.asked(users)
    gate = read_gates().find(JUDGED_AS, encoder["recipe"])
    feeds = part(data.feeds(port["name"] for port in encoder["inputs"]), 0, len(data.queries))
    judged = []
    for runtime in runtimes:
        outcome = run_variant(run.converted / encoder["file"], feeds, runtime=runtime)
        if not outcome:
            raise CheckFailed(f"{encoder['file']} does not run on {runtime}: {outcome.reason}")
        judged.append(
            judge_rows(outcome, rows, scale, users, gate, recipe=encoder["recipe"], runtime=runtime).to_json()
        )
    require_passed([ParityRow.from_json(row) for row in judged])
    draft.manifest["parity"] += [_kept(row) for row in judged]
    return judged


def add_golden(
    draft: Draft, data: HeldOut, tolerances: Mapping[str, float], tolerance: float, more: Sequence[Query] = ()
) -> None:
    """Write golden.json: two held-out users as tensors; end to end one of them, a short history narrowed to a genre,
    preferences alone, and `more`."""
    loaded = Loaded(draft.folder, draft.manifest)
    whole = [replace(query, items=query.items[:_TOP]) for query in data.queries[:: max(1, len(data.queries) // 2)][:2]]
    known = loaded.catalogue.preferences  # none where models are keyed by user
    queries = [
        replace(query, preferences=sorted({*query.preferences} & {*known})) for query in [*_asked(loaded, whole), *more]
    ]
    golden = make_golden(loaded, queries, whole, tolerances, tolerance, min(_TOP, loaded.most))
    draft.made("golden.json", "golden").write_text(to_text(golden), encoding="utf-8")


def _asked(loaded: Loaded, whole: Sequence[Query]) -> list[Query]:
    first, last = whole[0], whole[-1]
    genres = loaded.catalogue.genres[:1]
    short = replace(last, seen=last.seen[-_FEW:], stars=last.stars[-_FEW:], genres=genres)
    nothing = replace(last, seen=last.seen[:0], stars=last.stars[:0], preferences=loaded.catalogue.preferences[-1:])
    return [first, short, nothing] if loaded.catalogue.preferences else [first, short]


def _tolerance(parity: Mapping[str, Any], variant: Mapping[str, Any]) -> float:
    """Twice the largest difference that parity saw on any runtime, and never less than float32 rounding."""
    rows = [row["metrics"] for row in results_of(parity["results"], variant)]
    seen = [row.get(name) for row in rows for name in ("max_abs_diff", "rating_max_abs_diff")]
    return max(1e-5, 2 * max(value for value in seen if value is not None))


def _summary(results: Sequence[Mapping[str, Any]], variant: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_kept(row) for row in results_of(results, variant)]


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: row[key] for key in ("graph", "recipe", "runtime", "target", "status", "n_queries")}
    return kept | {name: row["metrics"].get(name) for name, metric in METRICS.items() if metric.in_bundle}
