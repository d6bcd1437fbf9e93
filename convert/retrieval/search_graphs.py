"""Forms of on-device retrieval: `query` float32[1, d] to `ids` int32[k] and `scores` float32[k], best first.

Built-in operators only, in versions that TensorFlow Lite 2.14 knows. The query encoder is either a separate file, so that a
catalogue can be replaced without the model, or part of the same file: then its inputs take the place of `query`. With masks the
result is a retriever with the inputs, outputs and masked scores of graphs.py; without masks, a caller that leaves seen items out
requests correspondingly more results.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ...core.scoring import MASKED
from ..flatbuffer.graph_builder import GraphBuilder
from .catalogue_index import CatalogueIndex
from .masks import MaskBuilder, Masks

# Scores per block in the first stage of a two-stage top k, which compares block maxima: 64 float32 are four cache lines.
_BLOCK = 64
_BLOCKS_PER_RESULT = 8
# Score of places that hold no item, below that of masked items: every returned id is that of an item.
_EMPTY = 2 * MASKED


@dataclass(frozen=True)
class Form:
    """A way to find the best k of a catalogue.

    Attributes:
        summary: one line for people.
        recipe: how its rows are stored.
        is_exact: whether every item is scored at full precision.
        from_items: smallest catalogue that it serves best, unless a later entry does; None for forms that are only compared with.
        build: (index, encoder file's bytes, masks) to the file's bytes; the last two are optional.
        settings: what was chosen for a catalogue, as variants.json records it.
    """

    summary: str
    recipe: str
    is_exact: bool
    from_items: int | None
    build: Callable[..., bytes]
    settings: Callable[[CatalogueIndex], dict[str, int]] = lambda index: {}


def _full_scan_float32(index: CatalogueIndex, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    builder = GraphBuilder(encoder)
    query = builder.given("query", [1, index.items.shape[1]])
    items = builder.add_constant(np.ascontiguousarray(index.items, np.float32), "items")
    best, ids = builder.best(_all_scores(builder, query, items, masks), index.k)
    return builder.finish(ids=ids, scores=best)


def _all_scores(builder: GraphBuilder, query: int, items: int, masks: Masks | None) -> int:
    """float32[n_items]: the score of every row, `MASKED` where the item is masked."""
    n_items = builder.shape(items)[0]
    scores = builder.reshaped(builder.products(query, items), [n_items])
    return scores if masks is None else builder.where(MaskBuilder(builder, masks, n_items).all(), MASKED, scores)


def _rotated(builder: GraphBuilder, index: CatalogueIndex) -> int:
    """The query in the space of the quantized rows."""
    query = builder.given("query", [1, index.items.shape[1]])
    return builder.products(query, builder.float16_constant(np.ascontiguousarray(index.quantized.rotation.T), "turn"))


def _quantized_scores(builder: GraphBuilder, index: CatalogueIndex, masks: Masks | None) -> int:
    quantized = index.quantized
    items = builder.add_constant(quantized.codes, "items", scale=quantized.scale)
    return _all_scores(builder, _rotated(builder, index), items, masks)


def _full_scan(index: CatalogueIndex, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    builder = GraphBuilder(encoder)
    best, ids = builder.best(_quantized_scores(builder, index, masks), index.k)
    return builder.finish(ids=ids, scores=best)


def block_size(n_items: int, k: int) -> int:
    """Scores per block of the two-stage top k: 64, fewer where that would leave fewer than eight blocks per result."""
    size = _BLOCK
    while size > 1 and n_items < size * _BLOCKS_PER_RESULT * k:
        size //= 2
    return size


def _two_stage(index: CatalogueIndex, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    """The best k lie in the k blocks with the largest maxima, so a heap over maxima and one over k blocks find them exactly."""
    builder, k = GraphBuilder(encoder), index.k
    n, size = len(index.items), block_size(len(index.items), index.k)
    n_blocks = -(-n // size)
    scores = _quantized_scores(builder, index, masks)
    if missing := n_blocks * size - n:
        scores = builder.joined(scores, builder.add_constant(np.full(missing, _EMPTY, np.float32)))
    blocks = builder.reshaped(scores, [n_blocks, size])
    _, chosen = builder.best(builder.row_maxima(blocks), k)
    best, place = builder.best(builder.reshaped(builder.rows(blocks, chosen), [k * size]), k)
    firsts = builder.times(builder.reshaped(chosen, [k, 1]), builder.add_constant(np.array(size, np.int32)))
    ids = builder.sum(firsts, builder.add_constant(np.arange(size, dtype=np.int32)[None]), [k, size])
    return builder.finish(ids=builder.rows(builder.reshaped(ids, [k * size]), place), scores=best)


def _partitioned(index: CatalogueIndex, encoder: bytes | None = None, masks: Masks | None = None) -> bytes:
    """Score the cells, gather the best of those that have a requested genre, score their items. Masks are read for those items
    only."""
    builder, quantized, partition, read = (
        GraphBuilder(encoder),
        index.quantized,
        index.partition,
        index.cells_read,
    )
    members, (n_cells, size), d = partition.members, partition.members.shape, quantized.codes.shape[1]
    query = _rotated(builder, index)
    mask_builder = MaskBuilder(builder, masks, len(quantized.codes)) if masks else None
    centroids = builder.float16_constant(np.ascontiguousarray(partition.centroids @ quantized.rotation), "cells")
    promise = builder.reshaped(builder.products(query, centroids), [n_cells])
    if mask_builder and (barren := mask_builder.cells(members)) is not None:
        promise = builder.where(barren, MASKED, promise)
    _, chosen = builder.best(promise, read)
    rows = quantized.codes[np.maximum(members, 0)].reshape(n_cells, size * d)
    codes = builder.rows(builder.add_constant(rows, "items", scale=quantized.scale), chosen)
    ids = builder.rows(builder.add_constant(np.maximum(members, 0), "ids"), chosen)
    ids = builder.reshaped(ids, [read * size])
    scores = builder.reshaped(builder.products(query, builder.reshaped(codes, [read * size, d])), [read * size])
    hidden = [mask_builder.among(members, chosen, ids)] if mask_builder else []
    if (members < 0).any():
        hidden.append(builder.reshaped(builder.rows(builder.add_constant(members < 0), chosen), [read * size]))
    if hidden:
        scores = builder.where(reduce(builder.either, hidden), MASKED, scores)
    best, place = builder.best(scores, index.k)
    return builder.finish(ids=builder.rows(ids, place), scores=best)


def _blocks(index: CatalogueIndex) -> dict[str, int]:
    return {"block_size": block_size(len(index.items), index.k)}


def _cells(index: CatalogueIndex) -> dict[str, int]:
    n_cells, size = index.partition.members.shape
    return {"n_cells": n_cells, "cell_size": size, "cells_read": index.cells_read}


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
