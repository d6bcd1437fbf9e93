"""Reading a ratings file row by row: ids, ratings, times, titles and genres, and what is rejected."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .arrow import pa
from .column_values import ABSENT, EMPTY, ODD, UNPRINTABLE, Ids, as_numbers, as_seconds, as_text
from .columns import find_columns, shown
from .csv_parquet import open_table, readable
from .tally import Tally

_NAMED_UNUSED = 10  # unused columns that a note names


@dataclass
class RatingRows:
    """Rows that passed, in chunks of (int32 user code, int32 item code, float32 rating, int64 timestamp).

    Attributes:
        roles: role to column.
        unused: other columns of the file.
        titles, genres: text of the first row of each item code that has one.
        units: units other than seconds that timestamps were taken to be in.
    """

    roles: dict[str, str]
    unused: list[str]
    tally: Tally = field(default_factory=Tally)
    users: Ids = field(default_factory=Ids)
    items: Ids = field(default_factory=Ids)
    titles: dict[int, str] = field(default_factory=dict)
    genres: dict[int, str] = field(default_factory=dict)
    units: set[str] = field(default_factory=set)
    chunks: list[list[np.ndarray]] = field(default_factory=lambda: [[], [], [], []])

    def joined(self) -> list[np.ndarray]:
        """The four columns whole; the chunks are given up one column at a time."""
        dtypes = (np.int32, np.int32, np.float32, np.int64)
        return [np.concatenate([np.empty(0, t), *self.chunks.pop(0)]).astype(t, copy=False) for t in dtypes]

    def notes(self) -> list[str]:
        """How the columns were understood, one line each."""
        notes = ["columns: " + ", ".join(f"{role}={name}" for role, name in self.roles.items())]
        if self.unused:
            more = ", …" if len(self.unused) > _NAMED_UNUSED else ""
            notes.append(f"columns not used: {', '.join(map(shown, self.unused[:_NAMED_UNUSED]))}{more}")
        if "rating" not in self.roles:
            notes.append("no rating column: every row is a positive")
        if "timestamp" not in self.roles:
            notes.append("no timestamp column: the order of the rows stands for time")
        return notes + [f"some timestamps were taken as {unit}, by their size" for unit in sorted(self.units)]


def read_rows(path: Path, mapping: Mapping[str, str], rating_range: tuple[float, float] | None) -> RatingRows:
    """Read a ratings file in batches.

    Args:
        mapping: role to column; see `find_columns`.
        rating_range: lowest and highest rating to accept.

    Raises:
        InputError: the file cannot be read, or its columns are not clear.
    """
    table = open_table(path)
    roles = find_columns(path, table.names, mapping)
    rows = RatingRows(roles, [name for name in table.names if name not in roles.values()])
    with readable(path):
        for batch in table.batches(list(roles.values()), rows.tally):
            _add_batch(rows, dict(zip(roles, batch, strict=True)), rating_range)
    return rows


Reject = Callable[[str, np.ndarray, str], None]


def _add_batch(rows: RatingRows, batch: dict[str, pa.Array], rating_range: tuple[float, float] | None) -> None:
    n = len(batch["user"])
    ok = np.ones(n, bool)

    def reject(role: str, bad: np.ndarray, reason: str) -> None:
        rows.tally.reject(ok, bad, f"{role} {reason}", rows.roles[role], batch[role])

    user, item = rows.users.encode(batch["user"]), rows.items.encode(batch["item"])
    for role, codes in (("user", user), ("item", item)):
        reject(role, codes == EMPTY, "is empty")
        reject(role, codes == UNPRINTABLE, "has a line break or control character")
    rating = _ratings(batch["rating"], rating_range, reject) if "rating" in batch else np.ones(n, np.float32)
    timestamp = np.arange(rows.tally.start, rows.tally.start + n)
    if "timestamp" in batch:
        timestamp, state = as_seconds(batch["timestamp"], rows.units)
        reject("timestamp", state == ABSENT, "is empty")
        reject("timestamp", state == ODD, "is neither seconds nor an ISO 8601 date")
    for role, texts in (("title", rows.titles), ("genres", rows.genres)):
        if role in batch:
            _add_texts(texts, np.where(ok, item, EMPTY), as_text(batch[role]))
    for chunks, column in zip(rows.chunks, (user, item, rating, timestamp), strict=True):
        chunks.append(column[ok])
    rows.tally.start += n


def _ratings(column: pa.Array, rating_range: tuple[float, float] | None, reject: Reject) -> np.ndarray:
    values, state = as_numbers(column)
    with np.errstate(over="ignore"):
        rating = values.astype(np.float32)
    reject("rating", state == ABSENT, "is empty")
    reject("rating", state == ODD, "is not a number")
    reject("rating", np.isnan(rating), "is NaN")
    reject("rating", np.isinf(rating), "is infinite")
    if rating_range:
        low, high = rating_range
        reject("rating", (values < low) | (values > high), f"is outside {low:g} to {high:g}")
    return rating


def _add_texts(texts: dict[int, str], item: np.ndarray, column: pa.Array) -> None:
    """Keep the first text of each item code, white space collapsed."""
    places = np.flatnonzero((item >= 0) & column.is_valid().to_numpy(zero_copy_only=False))
    codes, first = np.unique(item[places], return_index=True)
    new = np.array([code not in texts for code in codes.tolist()], bool)
    found = column.take(pa.array(places[first[new]])).to_pylist()
    texts.update({code: " ".join(t.split()) for code, t in zip(codes[new].tolist(), found, strict=True) if t.strip()})
