"""Ragged rows as flat arrays with offsets, and back."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np


def packed(rows_by_name: Mapping[str, Sequence[np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays for a worker from one a query: a row a query where all are alike, else flat with `.offsets`."""
    arrays: dict[str, np.ndarray] = {}
    for name, rows in rows_by_name.items():
        if len({row.shape for row in rows}) == 1:
            arrays[name] = np.stack(rows)
        else:
            arrays[name] = np.concatenate(rows)
            arrays[f"{name}.offsets"] = np.cumsum([0, *[len(row) for row in rows]])
    return arrays


def rows_of(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Undo `feeds_for` for one name: an array a query."""
    offsets = arrays.get(f"{name}.offsets")
    if offsets is None:
        return list(arrays[name])
    return [arrays[name][a:b] for a, b in pairwise(offsets)]


def part(arrays: Mapping[str, np.ndarray], start: int, stop: int | None = None) -> dict[str, np.ndarray]:
    """The same arrays (see `feeds_for`) of some of the queries."""
    found: dict[str, np.ndarray] = {}
    for name in (name for name in arrays if not name.endswith(".offsets")):
        offsets = arrays.get(f"{name}.offsets")
        if offsets is None:
            found[name] = arrays[name][start:stop]
            continue
        kept = offsets[start : None if stop is None else stop + 1]
        found[name], found[f"{name}.offsets"] = arrays[name][kept[0] : kept[-1]], kept - kept[0]
    return found
