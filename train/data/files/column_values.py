"""Values of columns: ids, numbers and times, decoded batch by batch."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from .arrow import pa, pc

EMPTY, UNPRINTABLE = -1, -2  # codes of ids that no vocabulary can hold
UNDERSTOOD, ABSENT, ODD = 0, 1, 2  # states of a value
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_YEAR_10000 = 253_402_300_800  # in seconds; datetime ends there


class Ids:
    """Distinct ids of a column by order of appearance; one dictionary for all batches."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}

    def encode(self, column: pa.Array) -> np.ndarray:
        """int32[n]: codes of the ids without surrounding spaces; EMPTY or UNPRINTABLE where there is no usable one."""
        encoded = as_text(column).dictionary_encode()
        codes = [self._code(token.strip()) for token in encoded.dictionary.to_pylist()]
        return np.array([*codes, EMPTY], np.int32)[_indices(encoded)]

    def _code(self, token: str) -> int:
        code = self.codes.get(token)
        return code if code is not None else flaw(token) or self.codes.setdefault(token, len(self.codes))

    def vocabulary(self, codes: np.ndarray, more: Iterable[str] = ()) -> tuple[list[str], np.ndarray]:
        """Names of the `codes` in use and `more`, ordered as `vocabulary_of` does, and int32[n_codes]: code to index."""
        used = np.zeros(len(self.codes), bool)
        used[codes] = True
        names = whole_numbers(list(self.codes))
        ordered = sorted({name for name, is_used in zip(names, used, strict=True) if is_used}.union(more), key=_place)
        index = {name: i for i, name in enumerate(ordered)}
        return ordered, np.array([index.get(name, -1) for name in names], np.int32)


def flaw(token: str) -> int:
    """EMPTY or UNPRINTABLE for an id that no vocabulary file can hold, else 0."""
    return EMPTY if not token else UNPRINTABLE if _UNPRINTABLE.search(token) else 0


def _place(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isdecimal() and len(name) < 4300 else (1, 0, name)  # int() takes no more digits


def whole_numbers(ids: list[str]) -> list[str]:
    """The ids as they are, or without `.0` if all are whole numbers: pandas writes them so where one is missing."""
    if any(not re.fullmatch(r"-?\d+(\.0+)?", each) for each in ids):
        return ids
    return [each.partition(".")[0] for each in ids]


def as_text(column: pa.Array) -> pa.Array:
    """string[n]; whole floats as integers, lists joined by '|', null where empty or NaN."""
    column = _plain(column)
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2**53))
        integers = pc.if_else(whole, column, None).cast(pa.int64()).cast(pa.string())
        rest = pc.if_else(pc.is_nan(column), None, column).cast(pa.string())
        return pc.coalesce(integers, rest)
    if pa.types.is_list(column.type):
        return pc.binary_join(column.cast(pa.list_(pa.string())), "|")
    return column.cast(pa.string())


def as_numbers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """float64[n] (NaN where there is no number) and int8[n], each value's state."""
    column = _plain(column)
    try:
        values = column.cast(pa.float64(), safe=False)
    except pa.ArrowInvalid:  # some text is not a number
        encoded = column.dictionary_encode()
        pairs = np.array([*map(_number, encoded.dictionary.to_pylist()), (math.nan, ABSENT)])[_indices(encoded)]
        return pairs[:, 0], pairs[:, 1].astype(np.int8)
    absent = values.is_null().to_numpy(zero_copy_only=False)
    return values.to_numpy(zero_copy_only=False), np.where(absent, ABSENT, UNDERSTOOD).astype(np.int8)


def as_seconds(column: pa.Array, units: set[str]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds since 1970 UTC as int64[n], and int8[n] states; units other than seconds are added to `units`.

    Numbers above 1e11 are milliseconds, above 1e14 microseconds, above 1e17 nanoseconds; text may be ISO 8601.
    """
    column = _plain(column)
    if pa.types.is_temporal(column.type):
        seconds = column.cast(pa.timestamp("s", tz=getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
        values, state = as_numbers(seconds)
    else:
        values, state = as_numbers(column)
        for above, scale, unit in ((1e17, 1e9, "nano"), (1e14, 1e6, "micro"), (1e11, 1e3, "milli")):
            large = np.abs(values) > above
            if large.any():
                values = np.where(large, values / scale, values)
                units.add(f"{unit}seconds")
    odd = np.flatnonzero(state == ODD)
    if len(odd):
        encoded = column.take(pa.array(odd)).dictionary_encode()
        values, state = values.copy(), state.copy()
        values[odd] = np.array([_iso_seconds(text) for text in encoded.dictionary.to_pylist()])[_indices(encoded)]
        state[odd] = UNDERSTOOD
    is_time = np.abs(values) < _YEAR_10000
    state = np.where((state == UNDERSTOOD) & ~is_time, ODD, state)
    return np.floor(np.where(is_time, values, 0)).astype(np.int64), state


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return column.cast(pa.string()) if is_bytes or pa.types.is_large_string(kind) else column


def _indices(encoded: pa.DictionaryArray) -> np.ndarray:
    """int32[n]; -1, which is a table's last entry, for null."""
    return encoded.indices.fill_null(-1).to_numpy()


def _number(text: str) -> tuple[float, int]:
    text = text.strip()
    try:
        return (math.nan, ABSENT) if not text else (float("_" if "_" in text else text), UNDERSTOOD)
    except ValueError:
        return math.nan, ODD


def _iso_seconds(text: str) -> float:
    """NaN where `text` is not a date; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan
