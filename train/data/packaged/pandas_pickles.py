"""Columns of a pickled pandas table, without pandas and without running what a pickle may name.

Only the names below are known: NumPy's arrays, and stand-ins that keep what pandas' own classes were made of.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class _Kept:
    """Stands in for a class of pandas: keeps arguments and state."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _block(values: Any, placement: Any, ndim: int) -> tuple[Any, Any]:
    return values, placement


def _index(_: Any, data: Mapping[str, Any]) -> Mapping[str, Any]:
    return data


def _reconstruct(_: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.ndarray(shape, dtype)


def _frombuffer(buffer: Any, dtype: np.dtype, shape: tuple[int, ...], order: Any) -> np.ndarray:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


_KNOWN: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("pandas.core.frame", "DataFrame"): _Kept,
    ("pandas.core.internals.managers", "BlockManager"): _Kept,
    ("pandas._libs.internals", "_unpickle_block"): _block,
    ("pandas.core.indexes.base", "_new_Index"): _index,
    ("pandas.core.indexes.base", "Index"): _Kept,
    ("pandas.core.indexes.range", "RangeIndex"): _Kept,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("builtins", "slice"): slice,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _KNOWN[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is no part of a table") from None


def read_columns(content: bytes) -> dict[str, np.ndarray]:
    """Columns by name, each [n_rows]; a column of text is an object array in which a missing value is nan.

    Args:
        content: a DataFrame pickled by pandas 2, uncompressed.

    Raises:
        pickle.UnpicklingError: it names anything that is no part of a table.
    """
    frame = _Unpickler(io.BytesIO(content)).load()
    blocks, (columns, _) = frame.state["_mgr"].arguments
    names, found = columns["data"], {}
    for values, placement in blocks:
        where = np.arange(len(names))[placement]
        found |= {str(names[column]): values[row] for row, column in enumerate(where)}
    return found
