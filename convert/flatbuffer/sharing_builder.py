"""Writing a flatbuffer small and aligned."""

import flatbuffers
import numpy as np

from ...runtimes.model_file.schema import FlatObject

_ALIGNMENT = 16  # as the schema asks of buffers
# Longer vectors are hardly ever equal.
_SHARED_BYTES = 64


class SharingBuilder(flatbuffers.Builder):
    """Aligns byte vectors, which the generated code does not do although the schema asks for it, and stores equal short ones once:
    shapes, scales and lists of inputs, most of which many tensors and operators share."""

    def __init__(self, initial_size: int) -> None:
        super().__init__(initial_size)
        self._known: dict[tuple[int, int, bytes], int] = {}
        # Of the vector being written, where the buffer ended before it, its width and alignment, and its bytes.
        self._open: tuple[int, int, int, int] | None = None

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        before, n_bytes = self.Offset(), elemSize * numElems
        self._open = (before, elemSize, alignment, n_bytes) if n_bytes <= _SHARED_BYTES else None
        return super().StartVector(elemSize, numElems, alignment)

    def PrependUOffsetTRelative(self, off: int) -> None:  # noqa: N802
        self._open = None  # distances: equal ones lead to different things
        super().PrependUOffsetTRelative(off)

    def EndVector(self, numElems: int | None = None) -> int:  # noqa: N802, N803
        opened, self._open = self._open, None
        end = super().EndVector(numElems)
        if opened is None:
            return end
        before, width, alignment, n_bytes = opened
        written = bytes(self.Bytes[self.Head() : self.Head() + 4 + n_bytes])
        known = self._known.setdefault((width, alignment, written), end)
        if known != end:
            self.head = len(self.Bytes) - before
        return known

    def CreateNumpyVector(self, x: np.ndarray) -> FlatObject:  # noqa: N802  (the name is flatbuffers')
        if x.dtype != np.uint8:
            return super().CreateNumpyVector(x)
        self.StartVector(1, x.size, _ALIGNMENT if x.size >= _ALIGNMENT else 8)
        self.head = self.Head() - x.size
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()
