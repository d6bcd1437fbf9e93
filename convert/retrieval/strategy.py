"""Which form a run's retriever takes, and drawing it from the run's catalogue (see scanning.py)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import InputError, pick
from ...core.run_dir import Run
from .catalogue_index import Scanned
from .masks import Masks
from .search_graphs import FORMS, form_for

# Forms are those of one variant: this graph under this recipe, behind that encoder.
RETRIEVER, RECIPE, ENCODER = "retriever", "dynamic_int8", "query_encoder"
FULL_SCAN = "full_scan"
CHOICES = [name for name, form in FORMS.items() if form.from_items is not None]
# Share of the exact best that retrieval by cells shall find on training queries: the gate, and what int8 and queries that
# nobody has asked yet may cost.
RECALL = 0.975


def chosen_form(name: str | None, graphs: Sequence[str], recipes: Sequence[str], n_items: int) -> str:
    """The form by name, else by the size of the catalogue.

    Raises:
        InputError: none of that name, or no retriever that could take it is converted.
    """
    if name is None:
        return form_for(n_items)
    pick("--form", name, CHOICES)
    if RETRIEVER not in graphs or RECIPE not in recipes:
        given = f"{', '.join(graphs)} under {', '.join(recipes)}"
        raise InputError(
            "--form", expected=f"{RETRIEVER} under {RECIPE}", given=given, do="convert it, or leave out --form"
        )
    return name


def draw_retriever(
    run: Run, name: str, k: int, encoder: bytes, queries: np.ndarray, masked: np.ndarray
) -> tuple[bytes, dict[str, Any]]:
    """A retriever's bytes, and the fields of its row that say its form.

    Args:
        name: one of `CHOICES`.
        k: results a query.
        encoder: a query encoder's file.
        queries: float32[m, d], its answers to training histories.
        masked: bool[m, n_items], what each of them has seen.
    """
    items = np.load(run.trained / "candidates.npy")
    scanned = Scanned(items, queries, k, RECALL, masked=masked)
    data = FORMS[name].build(scanned, encoder, Masks.of(run))
    return data, {"form": name, "settings": FORMS[name].settings(scanned)}
