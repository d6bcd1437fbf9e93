"""Inputs of a model of any origin, from an .npz file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError


def feeds_of_npz(path: Path, ports: Sequence[Mapping[str, Any]], what: str) -> dict[str, np.ndarray]:
    """Read an inputs file: one array an input, its first axis the queries.

    An array of the input's own rank is fed one row at a time with that axis kept as a batch of one; an array of one rank
    more is fed as it is, one entry a query.

    Raises:
        InputError: unreadable, names or dtypes that differ, ranks that do not fit, or unequal numbers of queries.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise InputError(
            what, expected="an .npz file of arrays", given=f"{path} ({error})", do="write it with numpy.savez"
        ) from error
    wanted = {port["name"]: port for port in ports}
    if set(arrays) != set(wanted):
        raise InputError(what, expected=f"arrays named {sorted(wanted)}", given=sorted(arrays), do="rename them")
    feeds = {name: _as_queries(array, wanted[name], what) for name, array in arrays.items()}
    if len({len(array) for array in feeds.values()}) != 1 or not len(next(iter(feeds.values()))):
        lengths = {name: len(array) for name, array in feeds.items()}
        raise InputError(
            what, expected="the same number of queries, at least one, in every array", given=lengths, do="even them out"
        )
    return feeds


def _as_queries(array: np.ndarray, port: Mapping[str, Any], what: str) -> np.ndarray:
    is_text = port["dtype"] == "string"
    if (array.dtype.kind in "SU") != is_text or (not is_text and array.dtype != np.dtype(port["dtype"])):
        raise InputError(
            f"{what} {port['name']}", expected=f"dtype {port['dtype']}", given=array.dtype, do="convert it"
        )
    if array.dtype.kind == "U":
        array = np.char.encode(array, "utf-8")
    rank = len(port["shape"])
    rows = array[:, None] if array.ndim == rank else array
    fixed = rows.ndim == rank + 1 and all(
        n in (-1, size) for n, size in zip(port["shape"], rows.shape[1:], strict=True)
    )
    if not fixed:
        expected = f"shape [n, {', '.join('any' if n < 0 else str(n) for n in port['shape'])}]"
        raise InputError(f"{what} {port['name']}", expected=expected, given=list(array.shape), do="reshape it")
    return rows
