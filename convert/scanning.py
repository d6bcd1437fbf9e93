"""Forms of on-device retrieval: `query` float32[1, d] to `ids` int32[k] and `scores` float32[k], best first.

Built-in operators only, of versions that TensorFlow Lite 2.14 knows. A query encoder stands before it, in a file of its own, so
that a catalogue can be replaced without the model, or in the same file: then its inputs take the place of `query`. Nothing is
masked: who leaves seen items out asks for so many more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .graphs import MASKED
from .scanned import Scanned
from .sketch import Sketch

# Scores whose maximum stands for them in the first stage of a two-stage top k: 64 float32 are four cache lines.
_BLOCK = 64
_BLOCKS_A_RESULT = 8


@dataclass(frozen=True)
class Form:
    """A way to find the best k of a catalogue.

    Attributes:
        summary: one line for people.
        recipe: how its rows are stored.
        is_exact: whether every item is scored at full precision.
        from_items: catalogues of this size and more are best served by it, or by a later entry; None where it is for comparison.
        build: makes the file's bytes, behind an encoder's where one is given.
        settings: what was chosen for a catalogue, for the record.
    """

    summary: str
    recipe: str
    is_exact: bool
    from_items: int | None
    build: Callable[..., bytes]
    settings: Callable[[Scanned], dict[str, int]] = lambda scanned: {}


def _full_scan_float32(scanned: Scanned, encoder: bytes | None = None) -> bytes:
    sketch = Sketch(encoder)
    query = sketch.given("query", [1, scanned.items.shape[1]])
    scores = sketch.products(query, sketch.add_constant(np.ascontiguousarray(scanned.items, np.float32), "items"))
    best, ids = sketch.best(sketch.reshaped(scores, [len(scanned.items)]), scanned.k)
    return sketch.finish(ids=ids, scores=best)


def _turned(sketch: Sketch, scanned: Scanned) -> int:
    """The query in the space of the coded rows."""
    query = sketch.given("query", [1, scanned.items.shape[1]])
    return sketch.products(query, sketch.add_constant(np.ascontiguousarray(scanned.coded.turn.T), "turn"))


def _full_scan(scanned: Scanned, encoder: bytes | None = None) -> bytes:
    sketch, coded = Sketch(encoder), scanned.coded
    scores = sketch.products(_turned(sketch, scanned), sketch.add_constant(coded.codes, "items", scale=coded.scale))
    best, ids = sketch.best(sketch.reshaped(scores, [len(coded.codes)]), scanned.k)
    return sketch.finish(ids=ids, scores=best)


def block_size(n_items: int, k: int) -> int:
    """Scores a block of the two-stage top k: 64, fewer where that would leave fewer than eight blocks a result."""
    size = _BLOCK
    while size > 1 and n_items < size * _BLOCKS_A_RESULT * k:
        size //= 2
    return size


def _two_stage(scanned: Scanned, encoder: bytes | None = None) -> bytes:
    """The best k lie in the k blocks with the largest maxima, so a heap over maxima and one over k blocks find them exactly."""
    sketch, coded, k = Sketch(encoder), scanned.coded, scanned.k
    n, size = len(coded.codes), block_size(len(coded.codes), k)
    n_blocks = -(-n // size)
    codes, bias = coded.codes, -1
    if n_blocks * size > n:
        codes = np.concatenate([codes, np.zeros((n_blocks * size - n, codes.shape[1]), np.int8)])
        bias = sketch.add_constant(np.where(np.arange(len(codes)) < n, 0, MASKED).astype(np.float32))
    items = sketch.add_constant(codes, "items", scale=coded.scale)
    blocks = sketch.reshaped(sketch.products(_turned(sketch, scanned), items, bias), [n_blocks, size])
    _, chosen = sketch.best(sketch.row_maxima(blocks), k)
    best, place = sketch.best(sketch.reshaped(sketch.rows(blocks, chosen), [k * size]), k)
    firsts = sketch.times(sketch.reshaped(chosen, [k, 1]), sketch.add_constant(np.array(size, np.int32)))
    ids = sketch.sum(firsts, sketch.add_constant(np.arange(size, dtype=np.int32)[None]), [k, size])
    return sketch.finish(ids=sketch.rows(sketch.reshaped(ids, [k * size]), place), scores=best)


def _partitioned(scanned: Scanned, encoder: bytes | None = None) -> bytes:
    """Score the cells, copy the best of them, score what they hold."""
    sketch, coded, partition, read = Sketch(encoder), scanned.coded, scanned.partition, scanned.cells_read
    (n_cells, size), d = partition.members.shape, coded.codes.shape[1]
    query = _turned(sketch, scanned)
    representatives = sketch.add_constant(np.ascontiguousarray(partition.representatives @ coded.turn), "cells")
    _, chosen = sketch.best(sketch.reshaped(sketch.products(query, representatives), [n_cells]), read)
    rows = np.where(partition.members[:, :, None] < 0, np.int8(0), coded.codes[partition.members]).astype(np.int8)
    table = sketch.add_constant(rows.reshape(n_cells, size * d), "items", scale=coded.scale)
    codes = sketch.reshaped(sketch.rows(table, chosen), [read * size, d])
    bias = -1
    if (partition.members < 0).any():
        missing = np.where(partition.members < 0, MASKED, 0).astype(np.float32)
        bias = sketch.reshaped(sketch.rows(sketch.add_constant(missing), chosen), [read * size])
    scores = sketch.reshaped(sketch.products(query, codes, bias), [read * size])
    best, place = sketch.best(scores, scanned.k)
    ids = sketch.reshaped(sketch.rows(sketch.add_constant(partition.members, "ids"), chosen), [read * size])
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
