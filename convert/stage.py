"""The convert stage: the SavedModels of a run, or any SavedModel, to .tflite files and variants.json."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.documents import VARIANTS_SCHEMA, document_head, write_json
from ..core.errors import CheckFailed, InputError, pick
from ..core.files.atomic import atomic_dir, require_empty
from ..core.files.hashing import sha256_file, sha256_tree
from ..core.records.variants import Variant, VariantsRecord
from ..core.run_dir import Run
from ..core.scoring import DEFAULT_K
from ..runtimes.inspection import FLOAT_TABLE
from ..runtimes.runtimes import runtime_packages
from .graph_conversion import GraphConversion, RetrieverConversion, RunGraphConversion
from .graphs import GRAPHS, Options
from .quantize.quantizer import calibration_missing
from .quantize.recipes import RECIPES, pick_recipe
from .representative import Representative, file_of_inputs, training_histories
from .retrieval.strategy import RETRIEVER, chosen_form

log = logging.getLogger(__name__)


def convert_run(
    run: Run,
    *,
    graphs: Iterable[str] = (),
    recipes: Iterable[str] = (),
    k: int | None = None,
    form: str | None = None,
) -> VariantsRecord:
    """Convert a run's graphs under recipes and write RUN/converted whole, or not at all.

    Args:
        graphs: keys of `GRAPHS` that the preset offers; all of those when empty.
        recipes: keys of `RECIPES`; all when empty.
        k: number of results of a retriever; at most the size of the catalogue, by default 100 or the catalogue if smaller.
        form: a name of `strategy.CHOICES`: how the `dynamic_int8` retriever searches; by the size of the catalogue when None.

    Returns:
        The variants; `to_json()` is the document written to variants.json.

    Raises:
        InputError: unknown graph, recipe or form, a form without its retriever, or `k` out of range.
        CheckFailed: a quantized file kept float32 tables, or a file does not run on every installed phone runtime.
    """
    chosen_recipes = [pick("--recipe", name, RECIPES) for name in recipes] or list(RECIPES)
    record = run.record
    offered = [name for name in GRAPHS if name in record.graphs]
    chosen_graphs = [pick("--graph", name, offered) for name in graphs] or offered
    n_items = record.data.n_items
    options = Options(k=_check_k(k, n_items))
    form = chosen_form(form, chosen_graphs, chosen_recipes, n_items)
    representative = training_histories(run)
    variants: list[Variant] = []
    with atomic_dir(run.converted) as folder:
        for graph in chosen_graphs:
            log.info(f"converting {graph}")
            conversion = _conversion(run, graph, options, representative, form)
            for recipe in chosen_recipes:
                variants.append(conversion.write(recipe, folder))
                _require_sound(variants[-1])
        document = _document(variants, sha256_file(run.trained / "run.json"))
        write_json(folder / "variants.json", document.to_json())
    return document


def _conversion(
    run: Run, graph: str, options: Options, representative: Representative, form: str
) -> RunGraphConversion:
    if graph != RETRIEVER:
        return RunGraphConversion.of(run, graph, options, representative)
    retriever = RetrieverConversion.of(run, graph, options, representative)
    retriever.search = form
    return retriever


def _check_k(k: int | None, n_items: int) -> int:
    if k is None:
        return min(DEFAULT_K, n_items)
    if not 1 <= k <= n_items:
        raise InputError(
            "--k",
            expected=f"1 to {n_items}, the size of the catalogue",
            given=k,
            do="choose another",
            code="VALUE_OUT_OF_RANGE",
        )
    return k


def _require_sound(variant: Variant) -> None:
    floats = [trap.where for trap in variant.traps if trap.trap == FLOAT_TABLE]
    if reasons := floats or variant.refusals:
        code = "CONVERSION_FAILED" if floats else "RUNTIME_FAILED"
        raise CheckFailed(f"{variant.file}: {'; '.join(reasons)}; nothing was written", code=code)


def _document(variants: Sequence[Variant], made_from: str) -> VariantsRecord:
    return VariantsRecord(**document_head(VARIANTS_SCHEMA, made_from, runtime_packages()), variants=list(variants))


def convert_foreign(
    saved_model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    representative: str | os.PathLike[str] | None = None,
    signature: str | None = None,
    recipes: Iterable[str] = (),
    allow_select_tf_ops: bool = False,
) -> VariantsRecord:
    """Convert one signature of a SavedModel that this kit did not train; files are `<signature>-<recipe>.tflite`.

    Without representative data the recipes that need them are left out, unless they are requested by name. A file that keeps
    float32 tables or does not run is an error for the kit's own graphs; here, where the graph is the user's, it is recorded in
    the variant's `traps` and `refusals`.

    Args:
        saved_model: folder of the SavedModel.
        out: a new or empty folder for the files and variants.json.
        representative: an .npz file of representative inputs, one array per input, axis 0 the queries. Activation ranges are
            calibrated on it, and every file is tried on its first query.
        signature: by default the SavedModel's first.
        recipes: keys of `RECIPES`; all that the data allow when empty.
        allow_select_tf_ops: let TensorFlow's own ops into the files; those need a runtime with the Flex delegate.

    Returns:
        The variants; `unusable` are the files that no runtime executed.

    Raises:
        InputError: no SavedModel there, unknown signature or recipe, ops that TFLite does not have, `out` not empty,
            representative data that are missing or do not fit.
    """
    named = list(recipes)
    needing = [name for name in named if pick_recipe(name).needs_calibration]
    if needing and representative is None:
        raise calibration_missing(needing, "--representative")
    possible = [name for name, recipe in RECIPES.items() if representative or not recipe.needs_calibration]
    saved_model, out = Path(saved_model), Path(out)
    require_empty(out)
    from .converter import choose_signature, convert_function, ports_of

    name, loaded = choose_signature(saved_model, signature)
    inputs = None if representative is None else file_of_inputs(Path(representative))
    if inputs is not None:
        inputs(ports_of(loaded.specs))  # refused before the slow step
    data = convert_function(loaded.owner, loaded.function, signature=name, allow_select_tf_ops=allow_select_tf_ops)
    source = sha256_tree(saved_model)
    conversion = GraphConversion(name, source, lambda: data, inputs)
    with atomic_dir(out) as folder:
        document = _document([conversion.write(recipe, folder) for recipe in named or possible], source)
        write_json(folder / "variants.json", document.to_json())
    return document
