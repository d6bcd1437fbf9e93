"""The convert stage: a run's SavedModels, or anybody's, to .tflite files and variants.json."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..train.artifacts import (
    VARIANTS_SCHEMA,
    Run,
    atomic_dir,
    kit_version,
    require_empty,
    sha256_bytes,
    sha256_file,
    sha256_tree,
    write_json,
)
from ..train.errors import CheckFailed, InputError, pick
from ..train.host import describe_host
from .graphs import DEFAULT_K, GRAPHS, Options
from .inspection import find_traps
from .recipes import RECIPES
from .tflite_file import read_tflite

Prove = Callable[[Path], list[str]]


def convert_run(
    run: Run,
    *,
    graphs: Iterable[str] = (),
    recipes: Iterable[str] = (),
    k: int | None = None,
    prove: Prove = lambda path: [],
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Convert a run's graphs under recipes and write RUN/converted whole, or not at all.

    Args:
        graphs: keys of `GRAPHS` that the preset offers; all of those when empty.
        recipes: keys of `RECIPES`; all when empty.
        k: results of a retriever; at most the catalogue, by default 100 or the catalogue if smaller.
        prove: executes a file and returns the reasons why it does not run, none when it does.
        say: called with a line before each conversion.

    Returns:
        The document written to variants.json.

    Raises:
        InputError: unknown graph or recipe, or `k` out of range.
        CheckFailed: a quantized file kept float32 tables, or a file does not run.
    """
    chosen_recipes = [pick("--recipe", name, RECIPES) for name in recipes] or list(RECIPES)
    record = run.run_json
    offered = [name for name in GRAPHS if name in record["graphs"]]
    chosen_graphs = [pick("--graph", name, offered) for name in graphs] or offered
    k = _check_k(k, record["data"]["n_items"])
    rows = []
    with atomic_dir(run.converted) as folder:
        for graph in chosen_graphs:
            for recipe in chosen_recipes:
                say(f"converting {graph} to {recipe}")
                rows.append(_convert_one(run, folder, graph, recipe, k))
                _refuse_if(_float_tables(rows[-1]) or prove(folder / rows[-1]["file"]), rows[-1]["file"])
        document = _document(rows, sha256_file(run.trained / "run.json"))
        write_json(folder / "variants.json", document)
    return document


def _check_k(k: int | None, n_items: int) -> int:
    if k is None:
        return min(DEFAULT_K, n_items)
    if not 1 <= k <= n_items:
        raise InputError("--k", expected=f"1 to {n_items}, the size of the catalogue", given=k, do="choose another")
    return k


def _convert_one(run: Run, folder: Path, graph: str, recipe: str, k: int) -> dict[str, Any]:
    from .converter import convert_function

    module, function = GRAPHS[graph].build(run, Options(k=k, scale_rows=RECIPES[recipe].scale_rows))
    data = convert_function(module, function, recipe=recipe)
    source = [sha256_tree(run.saved_model(name)) for name in GRAPHS[graph].saved_models]
    return _write_variant(folder, graph, recipe, data, sha256_bytes("\n".join(source).encode()))


def _write_variant(folder: Path, graph: str, recipe: str, data: bytes, source_sha256: str) -> dict[str, Any]:
    path = folder / f"{graph}-{recipe}.tflite"
    path.write_bytes(data)
    file = read_tflite(path)
    inputs, outputs = file.ports()
    return {
        "graph": graph,
        "recipe": recipe,
        "file": path.name,
        "size_bytes": len(data),
        "sha256": sha256_bytes(data),
        "source_sha256": source_sha256,
        "inputs": inputs,
        "outputs": outputs,
        "ops": file.op_counts(),
        "min_runtime": file.min_runtime,
        "table_bytes": file.table_bytes(),
        "traps": find_traps(file),
    }


def _float_tables(row: dict[str, Any]) -> list[str]:
    return [
        trap["where"] for trap in row["traps"] if trap["trap"] == "float-table" and RECIPES[row["recipe"]].quantized
    ]


def _refuse_if(reasons: list[str], name: str) -> None:
    if reasons:
        raise CheckFailed(f"{name}: {'; '.join(reasons)}; nothing was written")


def _document(rows: list[dict[str, Any]], made_from: str) -> dict[str, Any]:
    return {
        "schema": VARIANTS_SCHEMA,
        "kit_version": kit_version(),
        "made_from_sha256": made_from,
        "host": describe_host(),
        "variants": rows,
    }


def convert_foreign(
    saved_model: Path,
    out: Path,
    *,
    signature: str | None = None,
    recipes: Iterable[str] = (),
    prove: Prove = lambda path: [],
) -> dict[str, Any]:
    """Convert one signature of a SavedModel that this kit did not train; files are `<signature>-<recipe>.tflite`.

    A recipe whose file keeps float32 tables or does not run is an error for our own graphs; here, where the graph is the
    user's, it is a row of `traps` and `refusals`.

    Raises:
        InputError: no SavedModel there, unknown signature or recipe, ops that TFLite does not build in, `out` not empty.
    """
    chosen = [pick("--recipe", name, RECIPES) for name in recipes] or list(RECIPES)
    require_empty(out)
    from .converter import choose_signature, convert_saved_model

    name, _ = choose_signature(saved_model, signature)
    source, rows = sha256_tree(saved_model), []
    with atomic_dir(out) as folder:
        for recipe in chosen:
            data = convert_saved_model(saved_model, signature=name, recipe=recipe)
            rows.append(_write_variant(folder, name, recipe, data, source))
            rows[-1]["refusals"] = prove(folder / rows[-1]["file"])
        document = _document(rows, source)
        write_json(folder / "variants.json", document)
    return document
