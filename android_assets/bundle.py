"""Writing a bundle: the models of one recipe with everything an app needs to use and to check them."""

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..benchmarks.parity import check_unchanged
from ..benchmarks.queries import HeldOut
from ..benchmarks.query_inputs import feeds_for, rows_of
from ..convert.recipes import DEFAULT_RECIPE, RECIPES
from ..train.artifacts import PARITY_SCHEMA, Run, atomic_dir, kit_version, read_json, require_empty, sha256_file
from ..train.errors import CheckFailed, InputError, pick
from .golden import GOLDEN_SCHEMA, make_vectors
from .signing import sign

BUNDLE_SCHEMA = "pocketrec.bundle/1"
# What an app that keys by ids needs; string lookup would ship the vocabulary a second time.
BUNDLED_GRAPHS = ("ranker", "retriever")
_GOLDEN_QUERIES = 2


def write_bundle(
    run: Run,
    out: Path,
    *,
    recipe: str | None = None,
    auto: bool = False,
    sign_key: Path | None = None,
    version: int = 1,
) -> dict[str, Any]:
    """Write a bundle of a run's id-keyed graphs.

    Args:
        recipe: a key of `RECIPES`; `dynamic_int8` by default.
        auto: for each graph, the smallest variant that passed every gate; not together with `recipe`.
        sign_key: Ed25519 private key (PEM) to sign the manifest with.
        version: whole number that rises with every release.

    Returns:
        The manifest; with `auto`, its `refused` lists each smaller variant and why it was passed over.

    Raises:
        InputError: unknown recipe, `out` not empty, parity never run, or run on other files.
        CheckFailed: a wanted variant missed a gate.
    """
    require_empty(out)
    if recipe is not None and auto:
        raise InputError("--recipe", expected="either --recipe or --auto", given="both", do="leave one out")
    if version < 1:
        raise InputError("--version", expected="1 or more", given=version, do="choose another")
    parity = _current_parity(run)
    variants, refused = _choose(run, parity, recipe and pick("--recipe", recipe, RECIPES), auto)
    for variant in variants:
        check_unchanged(run, variant)
    with atomic_dir(out) as folder:
        manifest = _fill(run, folder, variants, parity, version)
        if auto:
            manifest["refused"] = refused
        if sign_key is not None:
            manifest["signature"] = "manifest.sig"
        text = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
        if sign_key is not None:
            (folder / "manifest.sig").write_bytes(sign(text, sign_key))
        (folder / "manifest.json").write_bytes(text)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    return manifest


def _current_parity(run: Run) -> dict[str, Any]:
    parity = read_json(run.reports / "parity.json", PARITY_SCHEMA)
    if parity.get("made_from_sha256") != sha256_file(run.converted / "variants.json"):
        raise InputError(
            "parity.json",
            expected="a parity run of these variants",
            given="one of others",
            do="run `pocketrec parity RUN`",
        )
    return parity


def _results_of(parity: dict[str, Any], variant: dict[str, Any]) -> list[dict[str, Any]]:
    return [r for r in parity["results"] if (r["graph"], r["recipe"]) == (variant["graph"], variant["recipe"])]


def _why_not(parity: dict[str, Any], variant: dict[str, Any]) -> str:
    ran = [row for row in _results_of(parity, variant) if row["status"] != "skipped"]
    bad = [f"{row['status']} on {row['runtime']}: {row['reason']}" for row in ran if row["status"] != "pass"]
    return "; ".join(bad) if ran else "parity never ran it"


def _choose(
    run: Run, parity: dict[str, Any], recipe: str | None, auto: bool
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    variants, chosen, refused = run.variants_json["variants"], [], []
    for graph in BUNDLED_GRAPHS:
        wanted = recipe or DEFAULT_RECIPE
        of_graph = sorted(
            (v for v in variants if v["graph"] == graph and (auto or v["recipe"] == wanted)),
            key=lambda v: v["size_bytes"],
        )
        for variant in of_graph:
            reason = _why_not(parity, variant)
            if not reason:
                chosen.append(variant)
                break
            if not auto:
                raise CheckFailed(f"{graph} {wanted} may not be bundled: {reason}")
            refused.append({"graph": graph, "recipe": variant["recipe"], "reason": reason})
    if len(chosen) < len(BUNDLED_GRAPHS):
        missing = sorted(set(BUNDLED_GRAPHS) - {variant["graph"] for variant in chosen})
        why = "; ".join(f"{row['graph']} {row['recipe']}: {row['reason']}" for row in refused) or "not converted"
        raise CheckFailed(f"no variant of {', '.join(missing)} may be bundled ({why})")
    return chosen, refused


def _fill(
    run: Run, folder: Path, variants: list[dict[str, Any]], parity: dict[str, Any], version: int
) -> dict[str, Any]:
    record = run.run_json
    roles: dict[str, str] = {}
    for variant in variants:
        _copy(run.converted / variant["file"], folder, f"models/{variant['file']}", "model", roles)
    vocabularies = [_vocabulary(run, folder, name, roles) for name in _vocabulary_names(variants)]
    _copy(run.trained / "items.json", folder, "items.json", "items", roles)
    data = HeldOut(run)
    vectors = [vector for variant in variants for vector in _golden(data, folder, variant, parity)]
    golden = json.dumps({"schema": GOLDEN_SCHEMA, "vectors": vectors}, indent=1, ensure_ascii=False) + "\n"
    (folder / "golden.json").write_text(golden, encoding="utf-8")
    roles["golden.json"] = "golden"
    return {
        "schema": BUNDLE_SCHEMA,
        "kit_version": kit_version(),
        "name": re.sub(r"[^a-z0-9.]+", "-", f"{record['data']['name']}-{record['preset']}".lower()),
        "version": version,
        "made_from_sha256": sha256_file(run.trained / "run.json"),
        "files": [_entry(folder, path, role) for path, role in sorted(roles.items())],
        "models": [_model(variant) for variant in variants],
        "vocabularies": vocabularies,
        "items": "items.json",
        "window": record["window"],
        "rating_range": record["data"]["rating_range"],
        "golden": "golden.json",
        "parity": _summary(parity, variants),
        "signature": None,
    }


def _copy(source: Path, folder: Path, name: str, role: str, roles: dict[str, str]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    roles[name] = role


def _vocabulary_names(variants: Iterable[dict[str, Any]]) -> list[str]:
    inputs = {port["name"] for variant in variants for port in variant["inputs"]}
    needed = {
        "items": True,
        "preferences": "preferences" in inputs,
        "genres": "genres" in inputs,
        "users": "user" in inputs,
    }
    return [name for name, used in needed.items() if used]


def _vocabulary(run: Run, folder: Path, name: str, roles: dict[str, str]) -> dict[str, Any]:
    file = f"vocabularies/{name}.txt"
    _copy(run.trained / file, folder, file, "vocabulary", roles)
    size = (folder / file).read_bytes().count(b"\n")
    return {"name": name, "file": file, "size": size, "oov_index": size}


def _entry(folder: Path, path: str, role: str) -> dict[str, Any]:
    return {"path": path, "role": role, "sha256": sha256_file(folder / path), "bytes": (folder / path).stat().st_size}


def _model(variant: dict[str, Any]) -> dict[str, Any]:
    kept = {key: variant[key] for key in ("graph", "recipe", "inputs", "outputs", "min_runtime")}
    return {**kept, "file": f"models/{variant['file']}"}


def _golden(data: HeldOut, folder: Path, variant: dict[str, Any], parity: dict[str, Any]) -> list[dict[str, Any]]:
    queries = data.queries[:: max(1, len(data.queries) // _GOLDEN_QUERIES)][:_GOLDEN_QUERIES]
    names = [port["name"] for port in variant["inputs"]]
    feeds = feeds_for(names, queries, data.catalogue)
    rows = [{name: rows_of(feeds, name)[row] for name in names} for row in range(len(queries))]
    return make_vectors(
        folder / f"models/{variant['file']}", f"models/{variant['file']}", rows, _tolerance(parity, variant)
    )


def _tolerance(parity: dict[str, Any], variant: dict[str, Any]) -> float:
    """Twice the largest difference that parity saw on any runtime, and never less than float32 rounding."""
    seen = [row["metrics"]["max_abs_diff"] for row in _results_of(parity, variant)]
    return max(1e-5, 2 * max(value for value in seen if value is not None))


def _summary(parity: dict[str, Any], variants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = ("max_abs_diff", "top_k_overlap", "top1_agreement", "quality_metric", "quality_reference", "quality_variant")
    return [
        {key: row[key] for key in ("graph", "recipe", "runtime", "target", "status", "n_queries")}
        | {key: row["metrics"].get(key) for key in kept}
        for variant in variants
        for row in _results_of(parity, variant)
    ]
