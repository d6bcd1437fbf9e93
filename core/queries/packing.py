"""Queries packed into flat arrays for a worker, and back.

An array of a packed set is either `name`, with axis 0 indexing the queries, or, where the queries differ in length, `name` with all
rows one after another and `name.offsets` int64[n_queries + 1] with the bounds of each.

Only NumPy is imported: workers, which run by path and without the kit's packages, import this module by its folder.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

_OFFSETS = ".offsets"


def packed(rows_by_name: Mapping[str, Sequence[np.ndarray]], *, flat: bool = False) -> dict[str, np.ndarray]:
    """Pack one array per query.

    Args:
        rows_by_name: for every name one array per query.
        flat: store rows of different shapes as one-dimensional values; without it they may differ in their first axis only.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, rows in rows_by_name.items():
        if len({row.shape for row in rows}) == 1:
            arrays[name] = np.stack(rows)
            continue
        parts = [row.reshape(-1) for row in rows] if flat else rows
        arrays[name] = np.concatenate(parts)
        arrays[name + _OFFSETS] = np.cumsum([0, *[len(part) for part in parts]])
    return arrays


def names_of(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the packed arrays, without those of the offsets."""
    return [name for name in arrays if not name.endswith(_OFFSETS)]


def rows_of(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Undo `packed` for one name: one array per query."""
    offsets = arrays.get(name + _OFFSETS)
    if offsets is None:
        return list(arrays[name])
    return [arrays[name][a:b] for a, b in pairwise(offsets)]


def queries_of(arrays: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Every query's arrays by name."""
    rows = {name: rows_of(arrays, name) for name in names_of(arrays)}
    for values in zip(*rows.values(), strict=True):
        yield dict(zip(rows, values, strict=True))


def part(arrays: Mapping[str, np.ndarray], start: int, stop: int | None = None) -> dict[str, np.ndarray]:
    """The packed arrays of the queries from `start` to `stop`."""
    found: dict[str, np.ndarray] = {}
    for name in names_of(arrays):
        offsets = arrays.get(name + _OFFSETS)
        if offsets is None:
            found[name] = arrays[name][start:stop]
            continue
        kept = offsets[start : None if stop is None else stop + 1]
        found[name], found[name + _OFFSETS] = arrays[name][kept[0] : kept[-1]], kept - kept[0]
    return found


def taken(arrays: Mapping[str, np.ndarray], rows: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """The packed arrays of the queries at `rows`, in that order."""
    found: dict[str, np.ndarray] = {}
    for name in names_of(arrays):
        offsets = arrays.get(name + _OFFSETS)
        if offsets is None:
            found[name] = arrays[name][np.asarray(rows, np.int64)]
            continue
        groups = [arrays[name][offsets[row] : offsets[row + 1]] for row in rows]
        found[name] = np.concatenate(groups)
        found[name + _OFFSETS] = np.cumsum([0, *[len(group) for group in groups]])
    return found
