"""Which form a run's retriever takes, and building it from the run's catalogue (see search_graphs.py)."""

from collections.abc import Sequence

import numpy as np

from ...core.errors import InputError, pick
from ...core.records.record import Json
from ...core.run_dir import Run
from .catalogue_index import CatalogueIndex
from .masks import Masks
from .search_graphs import FORMS, form_for

# Forms are those of one variant: this graph under this recipe, behind that encoder.
RETRIEVER, RECIPE, ENCODER = "retriever", "dynamic_int8", "query_encoder"
FULL_SCAN = "full_scan"
CHOICES = [name for name, form in FORMS.items() if form.from_items is not None]
# Target recall on training queries: the gate plus a margin for the error of int8 rows and for unseen queries.
RECALL = 0.975


def chosen_form(name: str | None, graphs: Sequence[str], recipes: Sequence[str], n_items: int) -> str:
    """The form of that name, or the one for the size of the catalogue.

    Raises:
        InputError: no form of that name, or no retriever that could take it is converted.
    """
    if name is None:
        return form_for(n_items)
    pick("--form", name, CHOICES)
    if RETRIEVER not in graphs or RECIPE not in recipes:
        given = f"{', '.join(graphs)} under {', '.join(recipes)}"
        raise InputError(
            "--form",
            expected=f"{RETRIEVER} under {RECIPE}",
            given=given,
            do="convert it, or leave out --form",
            code="OPTION_CONFLICT",
        )
    return name


def build_retriever(
    run: Run, name: str, k: int, encoder: bytes, queries: np.ndarray, masked: np.ndarray
) -> tuple[bytes, str, Json]:
    """Build a retriever.

    Args:
        name: one of `CHOICES`.
        k: results per query.
        encoder: a query encoder's file.
        queries: float32[m, d], its outputs for training histories.
        masked: bool[m, n_items], the items each of them has seen.

    Returns:
        The file's bytes, the form, and its settings.
    """
    items = np.load(run.trained / "candidates.npy")
    index = CatalogueIndex(items, queries, k, RECALL, masked=masked)
    data = FORMS[name].build(index, encoder, Masks.of(run))
    return data, name, {**FORMS[name].settings(index)}
