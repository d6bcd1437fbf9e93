"""Forms of on-device retrieval: `query` float32[1, d] to `ids` int32[k] and `scores` float32[k], best first.

Built-in operators only, of versions that TensorFlow Lite 2.14 knows. A query encoder stands before it, in a file of its own, so
that a catalogue can be replaced without the model, or in the same file: then its inputs take the place of `query`. With masks
it is a retriever, whose inputs, outputs and masked scores are those of graphs.py; without, who leaves seen items out asks for
so many more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ...core.scoring import MASKED
from ..flatbuffer.graph_builder import Sketch
from .catalogue_index import Scanned
from .masks import Hiding, Masks

# Scores whose maximum stands for them in the first stage of a two-stage top k: 64 float32 are four cache lines.
_BLOCK = 64
_BLOCKS_A_RESULT = 8
# Scores of places that hold no item, below masked ones: what comes back is always somebody's id.
_NOTHING = 2 * MASKED


@dataclass(frozen=True)
class Form:
    """A way to find the best k of a catalogue.

    Attributes:
        summary: one line for people.
        recipe: how its rows are stored.
        is_exact: whether every item is scored at full precision.
        from_items: catalogues of this size and more are best served by it, or by a later entry; None where it is for comparison.
        build: (scanned, encoder's bytes, masks) to the file's bytes; the last two may be left out.
        settings: what was chosen for a catalogue, for the record.
    """

    summary: str
    recipe: str
    is_exact: bool
    from_items: int | None
    build: Callable[..., bytes]
    settings: Callable[[Scanned], dict[str, int]] = lambda scanned: {}


def _full_scan_float32(scanned: Scanned, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    sketch = Sketch(encoder)
    query = sketch.given("query", [1, scanned.items.shape[1]])
    items = sketch.add_constant(np.ascontiguousarray(scanned.items, np.float32), "items")
    best, ids = sketch.best(_all_scores(sketch, query, items, masks), scanned.k)
    return sketch.finish(ids=ids, scores=best)


def _all_scores(sketch: Sketch, query: int, items: int, masks: Masks | None) -> int:
    """float32[n_items] of every row, `MASKED` where one is hidden."""
    n_items = sketch.shape(items)[0]
    scores = sketch.reshaped(sketch.products(query, items), [n_items])
    return scores if masks is None else sketch.where(Hiding(sketch, masks, n_items).all(), MASKED, scores)


def _turned(sketch: Sketch, scanned: Scanned) -> int:
    """The query in the space of the coded rows."""
    query = sketch.given("query", [1, scanned.items.shape[1]])
    return sketch.products(query, sketch.halves(np.ascontiguousarray(scanned.coded.turn.T), "turn"))


def _coded_scores(sketch: Sketch, scanned: Scanned, masks: Masks | None) -> int:
    coded = scanned.coded
    items = sketch.add_constant(coded.codes, "items", scale=coded.scale)
    return _all_scores(sketch, _turned(sketch, scanned), items, masks)


def _full_scan(scanned: Scanned, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    sketch = Sketch(encoder)
    best, ids = sketch.best(_coded_scores(sketch, scanned, masks), scanned.k)
    return sketch.finish(ids=ids, scores=best)


def block_size(n_items: int, k: int) -> int:
    """Scores a block of the two-stage top k: 64, fewer where that would leave fewer than eight blocks a result."""
    size = _BLOCK
    while size > 1 and n_items < size * _BLOCKS_A_RESULT * k:
        size //= 2
    return size


def _two_stage(scanned: Scanned, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    """The best k lie in the k blocks with the largest maxima, so a heap over maxima and one over k blocks find them exactly."""
    sketch, k = Sketch(encoder), scanned.k
    n, size = len(scanned.items), block_size(len(scanned.items), scanned.k)
    n_blocks = -(-n // size)
    scores = _coded_scores(sketch, scanned, masks)
    if missing := n_blocks * size - n:
        scores = sketch.joined(scores, sketch.add_constant(np.full(missing, _NOTHING, np.float32)))
    blocks = sketch.reshaped(scores, [n_blocks, size])
    _, chosen = sketch.best(sketch.row_maxima(blocks), k)
    best, place = sketch.best(sketch.reshaped(sketch.rows(blocks, chosen), [k * size]), k)
    firsts = sketch.times(sketch.reshaped(chosen, [k, 1]), sketch.add_constant(np.array(size, np.int32)))
    ids = sketch.sum(firsts, sketch.add_constant(np.arange(size, dtype=np.int32)[None]), [k, size])
    return sketch.finish(ids=sketch.rows(sketch.reshaped(ids, [k * size]), place), scores=best)


def _partitioned(scanned: Scanned, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    """Score the cells, copy the best of them that have a genre asked for, score what they hold. Masks are read for those items
    alone."""
    sketch, coded, partition, read = Sketch(encoder), scanned.coded, scanned.partition, scanned.cells_read
    members, (n_cells, size), d = partition.members, partition.members.shape, coded.codes.shape[1]
    query = _turned(sketch, scanned)
    hiding = Hiding(sketch, masks, len(coded.codes)) if masks else None
    representatives = sketch.halves(np.ascontiguousarray(partition.representatives @ coded.turn), "cells")
    promise = sketch.reshaped(sketch.products(query, representatives), [n_cells])
    if hiding and (barren := hiding.cells(members)) is not None:
        promise = sketch.where(barren, MASKED, promise)
    _, chosen = sketch.best(promise, read)
    rows = coded.codes[np.maximum(members, 0)].reshape(n_cells, size * d)
    codes = sketch.rows(sketch.add_constant(rows, "items", scale=coded.scale), chosen)
    ids = sketch.rows(sketch.add_constant(np.maximum(members, 0), "ids"), chosen)
    ids = sketch.reshaped(ids, [read * size])
    scores = sketch.reshaped(sketch.products(query, sketch.reshaped(codes, [read * size, d])), [read * size])
    hidden = [hiding.among(members, chosen, ids)] if hiding else []
    if (members < 0).any():
        hidden.append(sketch.reshaped(sketch.rows(sketch.add_constant(members < 0), chosen), [read * size]))
    if hidden:
        scores = sketch.where(reduce(sketch.either, hidden), MASKED, scores)
    best, place = sketch.best(scores, scanned.k)
    return sketch.finish(ids=sketch.rows(ids, place), scores=best)


def _blocks(scanned: Scanned) -> dict[str, int]:
    return {"block_size": block_size(len(scanned.items), scanned.k)}


def _cells(scanned: Scanned) -> dict[str, int]:
    n_cells, size = scanned.partition.members.shape
    return {"n_cells": n_cells, "cell_size": size, "cells_read": scanned.cells_read}


FORMS = {
    "full_scan_float32": Form("every row in float32, one heap", "float32", True, None, _full_scan_float32),
    "full_scan": Form("every row in int8, one heap", "dynamic_int8", False, 0, _full_scan),
    "two_stage": Form(
        "every row in int8, a heap over blocks and one within", "dynamic_int8", False, 10_000, _two_stage, _blocks
    ),
    "partitioned": Form("rows of the best cells in int8", "dynamic_int8", False, 20_000, _partitioned, _cells),
}


def form_for(n_items: int) -> str:
    """The form for a catalogue of this size."""
    return [name for name, form in FORMS.items() if form.from_items is not None and form.from_items <= n_items][-1]
