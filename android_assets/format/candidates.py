"""The catalogue's vectors as a file of their own."""

import math
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np

from ...core.errors import CheckFailed
from ...core.metrics import top_k
from .manifest import CandidatesFile

# Rows that are scored at once, as float32.
_PART_BYTES = 4 << 20


def write_rows(path: Path, rows: np.ndarray) -> None:
    """Write rows in NumPy's format 1.0, C order, little endian."""
    with path.open("wb") as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(rows), version=(1, 0), allow_pickle=False)


@dataclass(frozen=True)
class StoredRows:
    """Rows of a file, read when they are needed and not kept: a mapped file would count as memory in use.

    Attributes:
        start: offset of the first row in bytes.
        shape: n, d.
    """

    path: Path
    dtype: np.dtype
    shape: tuple[int, int]
    start: int

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Rows [m, d] of a slice without a step."""
        first, last, _ = rows.indices(len(self))
        n = max(0, last - first)
        with self.path.open("rb") as stream:
            stream.seek(self.start + first * self.shape[1] * self.dtype.itemsize)
            return np.fromfile(stream, self.dtype, n * self.shape[1]).reshape(n, self.shape[1])


# What NumPy's header parser raises on hostile bytes.
_PARSE_ERRORS = (
    ValueError,
    OSError,
    SyntaxError,
    TypeError,
    KeyError,
    OverflowError,
    RecursionError,
    MemoryError,
    TokenError,
)


def read_rows(path: Path, declared: CandidatesFile) -> StoredRows:
    """The rows of a bundle's candidates; only the header is read until they are used.

    Raises:
        CheckFailed: another format, dtype, shape or length than declared.
    """
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise ValueError(f"format {version[0]}.{version[1]}")
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            start = stream.tell()
    except _PARSE_ERRORS as error:
        raise _fail(f"{path.name}: not a NumPy array of numbers ({error})") from error
    expected, (n, d) = np.dtype(declared.dtype).newbyteorder("<"), declared.shape
    if dtype != expected or shape != (n, d) or is_fortran:
        raise _fail(f"{path.name}: {dtype.name}{list(shape)}, the manifest says {declared.dtype}{declared.shape}")
    size = start + math.prod((n, d)) * expected.itemsize
    if path.stat().st_size != size:
        raise _fail(f"{path.name}: {path.stat().st_size} bytes, its rows end at {size}")
    return StoredRows(path, expected, (n, d), start)


def _fail(reason: str) -> CheckFailed:
    return CheckFailed(reason, code="CANDIDATES_INVALID")


def search(
    query: np.ndarray, rows: np.ndarray | StoredRows, scale: float | None, allowed: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best allowed rows for one query.

    Args:
        query: float32[d].
        rows: int8 or float32[n, d].
        allowed: bool[n].

    Returns:
        ids int32[m] and scores float32[m], best first, equal ones by id; m is k, or less where fewer are allowed.
    """
    scores = np.empty(len(rows), np.float32)
    step = max(1, _PART_BYTES // (4 * len(query)))
    for start in range(0, len(rows), step):  # in parts, so that the file may be larger than memory
        scores[start : start + step] = rows[start : start + step].astype(np.float32, copy=False) @ query
    scores *= np.float32(1 if scale is None else scale)
    scores[~allowed] = -np.inf
    ids = top_k(scores[None], min(k, len(rows)))[0]
    ids = ids[np.isfinite(scores[ids])].astype(np.int32)
    return ids, scores[ids]
