"""What a retriever may not return, drawn behind its scores."""

from dataclasses import dataclass

import numpy as np

from ...core.run_dir import Run
from ..flatbuffer.editor import Types
from ..flatbuffer.graph_builder import Sketch
from .genre_sets import genre_sets


@dataclass(frozen=True)
class Masks:
    """Items are masked by `seen` bool[n_items], and where they have genres by `genres` float32[g]: see graphs.py.

    Attributes:
        sets: float32[n_sets, g], the catalogue's distinct sets of genres; None where there are none.
        set_of: int32[n_items], each item's set.
    """

    sets: np.ndarray | None = None
    set_of: np.ndarray | None = None

    @classmethod
    def of(cls, run: Run) -> "Masks":
        """Those of a run's catalogue."""
        return cls(*(genre_sets(run) or ()))


class Hiding:
    """The masks' inputs in a sketch, and bool tensors of what they hide."""

    def __init__(self, sketch: Sketch, masks: Masks, n_items: int) -> None:
        self.sketch, self.masks = sketch, masks
        self.seen = sketch.input("seen", [n_items], Types.BOOL)
        self.outside = -1
        if masks.sets is not None:
            n_genres = masks.sets.shape[1]
            self.genres = sketch.reshaped(sketch.input("genres", [n_genres], Types.FLOAT32), [1, n_genres])
            self.outside = self._none_of(masks.sets, "genre_sets")

    def _none_of(self, marks: np.ndarray, name: str) -> int:
        """bool[n] of marks float32[n, g]: whether genres are asked for and a row has none of them. Weights as in graphs.py, whole
        numbers, exact in halves."""
        weights = self.sketch.halves((1 - 2 * marks.shape[1] * marks).astype(np.float32), name)
        counted = self.sketch.products(self.genres, weights)
        return self.sketch.above(self.sketch.reshaped(counted, [len(marks)]), 0.5)

    def cells(self, members: np.ndarray) -> int | None:
        """bool[n_cells] of members int32[n_cells, size]: whether nothing in a cell has a genre asked for; None without genres."""
        if self.masks.sets is None or self.masks.set_of is None:
            return None
        sets = self.masks.sets[self.masks.set_of[np.maximum(members, 0)]]
        return self._none_of(np.where((members >= 0)[:, :, None], sets, 0).max(axis=1), "genre_cells")

    def all(self) -> int:
        """bool[n_items]."""
        if self.masks.set_of is None:
            return self.seen
        return self.sketch.either(self.seen, self._outside(self._numbers(self.masks.set_of)))

    def among(self, members: np.ndarray, cells: int, ids: int) -> int:
        """bool[n] of the items `ids` int32[n] in the cells chosen from `members` int32[n_cells, size]; reads no others."""
        sketch = self.sketch
        hidden = sketch.rows(self.seen, ids)
        if self.masks.set_of is None:
            return hidden
        numbers = sketch.rows(self._numbers(self.masks.set_of[np.maximum(members, 0)]), cells)
        return sketch.either(hidden, self._outside(sketch.reshaped(numbers, sketch.shape(ids))))

    def _numbers(self, sets: np.ndarray) -> int:
        fits = sets.max(initial=0) <= np.iinfo(np.uint8).max
        return self.sketch.add_constant(sets.astype(np.uint8 if fits else np.int32), "sets")

    def _outside(self, numbers: int) -> int:
        sketch = self.sketch
        wide = sketch.wide_ids(numbers) if sketch.tensor(numbers).type == Types.UINT8 else numbers
        return sketch.rows(self.outside, wide)
