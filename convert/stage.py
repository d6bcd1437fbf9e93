"""The convert stage: a run's SavedModels, or anybody's, to .tflite files and variants.json."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..core.atomic import atomic_dir, require_empty
from ..core.documents import VARIANTS_SCHEMA, document_head, write_json
from ..core.errors import CheckFailed, InputError, pick
from ..core.hashing import sha256_bytes, sha256_file, sha256_tree
from ..core.run_dir import Run
from ..core.scoring import DEFAULT_K
from ..runtimes.inspection import find_traps
from ..runtimes.model_file.reader import parse_tflite, read_tflite
from ..runtimes.model_file.vocabulary_stamp import known_by, read_files, vocabulary_text
from ..runtimes.probing import execute, try_out
from ..runtimes.runtimes import runtime_packages
from .flatbuffer.vocabulary_stamp import stamped
from .graphs import GRAPHS, Options
from .quantize.calibration import measure, watching
from .quantize.dense_layers import Flows
from .quantize.quantizer import apply_recipe, prepare
from .quantize.recipes import RECIPES
from .representative import Representative, file_of_inputs, training_histories
from .retrieval.strategy import ENCODER, FULL_SCAN, RECIPE, RETRIEVER, chosen_form, draw_retriever

log = logging.getLogger(__name__)


def convert_run(
    run: Run,
    *,
    graphs: Iterable[str] = (),
    recipes: Iterable[str] = (),
    k: int | None = None,
    form: str | None = None,
) -> dict[str, Any]:
    """Convert a run's graphs under recipes and write RUN/converted whole, or not at all.

    Args:
        graphs: keys of `GRAPHS` that the preset offers; all of those when empty.
        recipes: keys of `RECIPES`; all when empty.
        k: results of a retriever; at most the catalogue, by default 100 or the catalogue if smaller.
        form: a name of `retrieving.CHOICES`, how the `dynamic_int8` retriever searches; by the size of the catalogue when None.

    Returns:
        The document written to variants.json.

    Raises:
        InputError: unknown graph, recipe or form, a form without its retriever, or `k` out of range.
        CheckFailed: a quantized file kept float32 tables, or a file does not run on every runtime that is installed.
    """
    chosen_recipes = [pick("--recipe", name, RECIPES) for name in recipes] or list(RECIPES)
    record = run.run_json
    offered = [name for name in GRAPHS if name in record["graphs"]]
    chosen_graphs = [pick("--graph", name, offered) for name in graphs] or offered
    representative = training_histories(run)
    options = Options(k=_check_k(k, record["data"]["n_items"]))
    form = chosen_form(form, chosen_graphs, chosen_recipes, record["data"]["n_items"])
    rows = []
    with atomic_dir(run.converted) as folder:
        for graph in chosen_graphs:
            log.info(f"converting {graph}")
            source = [sha256_tree(run.saved_model(name)) for name in GRAPHS[graph].saved_models]
            made_from = sha256_bytes("\n".join(source).encode())
            drawn = {}
            if graph == RETRIEVER and form != FULL_SCAN:
                drawn[RECIPE] = partial(_drawn, run, form, options, folder, representative)
            made = partial(_float32, run, graph, options)
            finish = partial(_stamped, run.trained / "vocabularies")
            for row in _variants(made, folder, graph, chosen_recipes, made_from, representative, drawn, finish):
                _refuse(row)
                if graph == RETRIEVER:
                    row = {**row, "form": row["form"] or FULL_SCAN, "settings": row["settings"] or {}}
                rows.append(row)
        document = _document(rows, sha256_file(run.trained / "run.json"))
        write_json(folder / "variants.json", document)
    return document


def _float32(run: Run, graph: str, options: Options) -> bytes:
    from .converter import convert_function

    return convert_function(*GRAPHS[graph].build(run, options))


def _drawn(
    run: Run, form: str, options: Options, folder: Path, representative: Representative
) -> tuple[bytes, dict[str, Any]]:
    """A retriever in another form than the converter gives it, behind the query encoder as converted: bytes, and its settings."""
    prepared = prepare(_float32(run, ENCODER, options))
    encoder = apply_recipe(prepared, RECIPES[RECIPE], _flows(prepared, folder, representative, [RECIPE]))
    path = folder / "encoder.tflite"
    path.write_bytes(encoder)
    feeds = representative(read_tflite(path).ports()[0])
    queries = execute(path, feeds)["query"]
    path.unlink()
    masked = representative([{"name": "seen"}])["seen"]
    return draw_retriever(run, form, options.k, encoder, queries.reshape(len(masked), -1), masked)


def _stamped(vocabularies: Path, data: bytes) -> bytes:
    inputs, outputs = parse_tflite(data).ports()
    if not (names := known_by([*inputs, *outputs])):
        return data
    return stamped(data, vocabulary_text(read_files(vocabularies, names)))


def _check_k(k: int | None, n_items: int) -> int:
    if k is None:
        return min(DEFAULT_K, n_items)
    if not 1 <= k <= n_items:
        raise InputError("--k", expected=f"1 to {n_items}, the size of the catalogue", given=k, do="choose another")
    return k


def _variants(
    made: Callable[[], bytes],
    folder: Path,
    graph: str,
    recipes: Sequence[str],
    source_sha256: str,
    representative: Representative | None,
    drawn: Mapping[str, Callable[[], tuple[bytes, dict[str, Any]]]] = MappingProxyType({}),
    finish: Callable[[bytes], bytes] = lambda data: data,
) -> Iterable[dict[str, Any]]:
    """Write a graph under each recipe and try each file out; yields the rows of variants.json.

    Args:
        made: the converter's float32 bytes.
        drawn: by recipe, what makes the file in its place, and says in which form.
        finish: the last thing done to a file's bytes.
    """
    converted = [name for name in recipes if name not in drawn]
    prepared = prepare(made()) if converted else b""
    flows = _flows(prepared, folder, representative, converted) if converted else None
    for recipe in recipes:
        path, form = folder / f"{graph}-{recipe}.tflite", {}
        if recipe in drawn:
            data, form = drawn[recipe]()
        else:
            data = apply_recipe(prepared, RECIPES[recipe], flows)
        path.write_bytes(finish(data))
        yield _row(path, graph, recipe, source_sha256) | form


def _flows(
    prepared: bytes, folder: Path, representative: Representative | None, recipes: Sequence[str]
) -> Flows | None:
    """Run the graph on representative data where there are any, and look at its dense layers."""
    if representative is None:
        if needing := [name for name in recipes if RECIPES[name].activations]:
            raise InputError(
                "--representative",
                expected=f"an .npz of representative inputs for {', '.join(needing)}",
                given="none",
                do="pass it, or choose other recipes with --recipe",
            )
        return None
    if all(RECIPES[name].dense == "float32" for name in recipes):
        return None
    path = folder / "watching.tflite"
    path.write_bytes(watching(prepared))
    feeds = representative(read_tflite(path).ports()[0])
    outputs = execute(path, feeds)
    path.unlink()
    return measure(prepared, feeds, outputs)


def _row(path: Path, graph: str, recipe: str, source_sha256: str) -> dict[str, Any]:
    file = read_tflite(path)
    inputs, outputs = file.ports()
    tried = try_out(path)
    return {
        "graph": graph,
        "recipe": recipe,
        "form": None,
        "settings": None,
        "file": path.name,
        "size_bytes": file.size_bytes,
        "sha256": sha256_file(path),
        "source_sha256": source_sha256,
        "inputs": inputs,
        "outputs": outputs,
        "ops": file.op_counts(),
        "min_runtime": file.min_runtime,
        "runs_on": [name for name, reason in tried.items() if not reason],
        "refusals": [f"{name}: {reason}" for name, reason in tried.items() if reason],
        "table_bytes": file.table_bytes(),
        "traps": find_traps(file),
    }


def _refuse(row: dict[str, Any]) -> None:
    floats = [trap["where"] for trap in row["traps"] if trap["trap"] == "float-table"]
    reasons = floats or row["refusals"]
    if reasons:
        raise CheckFailed(f"{row['file']}: {'; '.join(reasons)}; nothing was written")


def _document(rows: list[dict[str, Any]], made_from: str) -> dict[str, Any]:
    return {
        **document_head(VARIANTS_SCHEMA, made_from, runtime_packages()),
        "variants": rows,
    }


def convert_foreign(
    saved_model: Path,
    out: Path,
    *,
    representative: Path | None = None,
    signature: str | None = None,
    recipes: Iterable[str] = (),
    allow_select_tf_ops: bool = False,
) -> dict[str, Any]:
    """Convert one signature of a SavedModel that this kit did not train; files are `<signature>-<recipe>.tflite`.

    Without representative data the recipes that need it are left out, unless they are asked for by name. A file that keeps
    float32 tables or does not run is an error for our own graphs; here, where the graph is the user's, it is a row of `traps` and
    `refusals`.

    Raises:
        InputError: no SavedModel there, unknown signature or recipe, ops that TFLite does not build in, `out` not empty,
            representative data that is missing or does not fit.
    """
    named = [pick("--recipe", name, RECIPES) for name in recipes]
    possible = [name for name, recipe in RECIPES.items() if representative or not recipe.activations]
    require_empty(out)
    from .converter import choose_signature, convert_function

    name, loaded = choose_signature(saved_model, signature)
    inputs = None if representative is None else file_of_inputs(representative)
    if inputs is not None:
        inputs(_ports(loaded.specs))  # said before the slow step
    data = convert_function(loaded.owner, loaded.function, signature=name, allow_select_tf_ops=allow_select_tf_ops)
    source = sha256_tree(saved_model)
    with atomic_dir(out) as folder:
        document = _document(list(_variants(lambda: data, folder, name, named or possible, source, inputs)), source)
        write_json(folder / "variants.json", document)
    return document


def _ports(specs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A SavedModel signature's inputs as a file's ports: name, shape with -1 where free, dtype."""
    return [
        {"name": name, "shape": [-1 if n is None else n for n in spec.shape], "dtype": spec.dtype.name}
        for name, spec in specs.items()
    ]
