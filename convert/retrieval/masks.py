"""Masks of a retriever: items that it may not return."""

from dataclasses import dataclass

import numpy as np

from ...core.run_dir import Run
from ..flatbuffer.editor import Types
from ..flatbuffer.graph_builder import GraphBuilder
from .genre_sets import genre_sets


@dataclass(frozen=True)
class Masks:
    """A catalogue's masks: `seen` bool[n_items], and where items have genres `genres` float32[g]; see graphs.py.

    Attributes:
        sets: float32[n_sets, g], the catalogue's distinct sets of genres; None where there are none.
        set_of: int32[n_items], each item's set.
    """

    sets: np.ndarray | None = None
    set_of: np.ndarray | None = None

    @classmethod
    def of(cls, run: Run) -> "Masks":
        """The masks of a run's catalogue."""
        return cls(*(genre_sets(run) or ()))


class MaskBuilder:
    """The inputs of masks in a graph, and bool tensors of the items that they mask."""

    def __init__(self, builder: GraphBuilder, masks: Masks, n_items: int) -> None:
        self.builder, self.masks = builder, masks
        self.seen = builder.input("seen", [n_items], Types.BOOL)
        self.sets_without = -1
        if masks.sets is not None:
            n_genres = masks.sets.shape[1]
            self.genres = builder.reshaped(builder.input("genres", [n_genres], Types.FLOAT32), [1, n_genres])
            self.sets_without = self._none_of(masks.sets, "genre_sets")

    def _none_of(self, marks: np.ndarray, name: str) -> int:
        """bool[n] of marks float32[n, g]: whether genres are requested and a row has none of them. Weights as in graphs.py: whole
        numbers, exact in float16."""
        weights = self.builder.float16_constant((1 - 2 * marks.shape[1] * marks).astype(np.float32), name)
        counted = self.builder.products(self.genres, weights)
        return self.builder.above(self.builder.reshaped(counted, [len(marks)]), 0.5)

    def cells(self, members: np.ndarray) -> int | None:
        """bool[n_cells] of members int32[n_cells, size]: whether no item of a cell has a requested genre; None without genres."""
        if self.masks.sets is None or self.masks.set_of is None:
            return None
        sets = self.masks.sets[self.masks.set_of[np.maximum(members, 0)]]
        return self._none_of(np.where((members >= 0)[:, :, None], sets, 0).max(axis=1), "genre_cells")

    def all(self) -> int:
        """bool[n_items]."""
        if self.masks.set_of is None:
            return self.seen
        return self.builder.either(self.seen, self._set_mask(self._numbers(self.masks.set_of)))

    def among(self, members: np.ndarray, cells: int, ids: int) -> int:
        """bool[n] of the items `ids` int32[n] in the cells chosen from `members` int32[n_cells, size]; reads only their masks."""
        builder = self.builder
        hidden = builder.rows(self.seen, ids)
        if self.masks.set_of is None:
            return hidden
        numbers = builder.rows(self._numbers(self.masks.set_of[np.maximum(members, 0)]), cells)
        return builder.either(hidden, self._set_mask(builder.reshaped(numbers, builder.shape(ids))))

    def _numbers(self, sets: np.ndarray) -> int:
        fits = sets.max(initial=0) <= np.iinfo(np.uint8).max
        return self.builder.add_constant(sets.astype(np.uint8 if fits else np.int32), "sets")

    def _set_mask(self, numbers: int) -> int:
        builder = self.builder
        wide = builder.wide_ids(numbers) if builder.tensor(numbers).type == Types.UINT8 else numbers
        return builder.rows(self.sets_without, wide)
