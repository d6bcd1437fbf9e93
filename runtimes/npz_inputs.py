"""Inputs of a model of any origin, from an .npz file or from arrays."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..core.errors import InputError
from .model_file.reader import PortDict


def feeds_of_npz(path: Path, ports: Sequence[PortDict], what: str) -> dict[str, np.ndarray]:
    """Read an inputs file; see `feeds_of_arrays`.

    Raises:
        InputError: missing or unreadable, or its arrays do not fit the ports.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(
            what, expected="an .npz file", given=f"{path} (no such file)", do="check the path", code="INPUT_MISSING"
        ) from None
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            what,
            expected="an .npz file of arrays",
            given=f"{path} ({error})",
            do="write it with numpy.savez",
            code="INPUT_UNREADABLE",
        ) from error
    return feeds_of_arrays(arrays, ports, what)


def feeds_of_arrays(arrays: Mapping[str, np.ndarray], ports: Sequence[PortDict], what: str) -> dict[str, np.ndarray]:
    """Check arrays against a model's inputs, and give them as a worker takes them.

    Args:
        arrays: one array per input; axis 0 indexes the queries. An array of the input's own rank is fed one row at a time, and
            that axis is kept as a batch of one; an array with one axis more is fed one entry per query.
        ports: the model's inputs.
        what: the argument that errors name.

    Raises:
        InputError: names or dtypes differ, shapes do not fit, or the numbers of queries are not the same or zero.
    """
    wanted = {port["name"]: port for port in ports}
    if set(arrays) != set(wanted):
        raise _mismatch(what, f"arrays named {sorted(wanted)}", sorted(arrays), "rename them")
    feeds = {name: _as_queries(np.asarray(arrays[name]), port, what) for name, port in wanted.items()}
    lengths = {name: len(array) for name, array in feeds.items()}
    if len({*lengths.values()}) != 1 or not min(lengths.values()):
        raise _mismatch(what, "the same number of queries, at least one, in every array", lengths, "make them equal")
    return feeds


def _as_queries(array: np.ndarray, port: PortDict, what: str) -> np.ndarray:
    named, is_text = f"{what} {port['name']}", port["dtype"] == "string"
    if (array.dtype.kind in "SU") != is_text or (not is_text and array.dtype != np.dtype(port["dtype"])):
        raise _mismatch(named, f"dtype {port['dtype']}", array.dtype, "convert it")
    if array.dtype.kind == "U":
        array = np.char.encode(array, "utf-8")
    rank = len(port["shape"])
    rows = array[:, None] if array.ndim == rank else array
    fits = rows.ndim == rank + 1 and all(n in (-1, size) for n, size in zip(port["shape"], rows.shape[1:], strict=True))
    if not fits:
        dimensions = ["n", *("any" if n < 0 else str(n) for n in port["shape"])]
        raise _mismatch(named, f"shape [{', '.join(dimensions)}]", list(array.shape), "reshape it")
    return rows


def _mismatch(what: str, expected: str, given: object, do: str) -> InputError:
    return InputError(what, expected=expected, given=given, do=do, code="INPUT_MISMATCH")
