"""Anybody's ratings, out of a CSV or Parquet file, checked before anything is trained on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...core.errors import InputError
from .column_values import ABSENT, EMPTY, ODD, UNPRINTABLE, Ids, as_numbers, as_seconds, as_text
from .columns import RowReport, Tally, find_columns, is_table, parse_columns, shown
from .csv_parquet import open_table, pa, said_plainly
from .feature_file import item_features_of, preferences_of, read_features
from .ratings import Ratings

__all__ = ["RowReport", "is_table", "parse_columns", "read_ratings"]


def read_ratings(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    item_features: Path | None = None,
    user_features: Path | None = None,
    rating_range: tuple[float, float] | None = None,
) -> tuple[Ratings, RowReport]:
    """Read ratings from a CSV or Parquet file, in batches, keeping 20 bytes a row.

    Args:
        path: a file whose name `is_table`.
        columns: role (`user`, `item`, `rating`, `timestamp`, `title`) to column. Roles left out are found by name; but if
            any is given, only user and item are. Without a rating column every row is a positive.
        item_features: a table of items; those without ratings join the catalogue.
        user_features: a table of users, for `Ratings.user_preferences`.
        rating_range: lowest and highest rating to accept.

    Raises:
        InputError: a file cannot be read as what it should be, or too little in it can be used.
    """
    if rating_range and not rating_range[0] < rating_range[1]:
        raise InputError("rating range", expected="LOW below HIGH", given=rating_range, do="swap or widen them")
    rows = _read_rows(path, columns or {}, rating_range)
    notes = _notes(rows)
    user, item, rating, timestamp = rows.joined()
    users, to_user = rows.users.vocabulary(user)
    rated, _ = rows.items.vocabulary(item)
    _require_enough(path, rows.tally, users=users, items=rated)
    for_items = read_features(item_features, "item", rows.roles["item"], rated, notes) if item_features else None
    for_users = read_features(user_features, "user", rows.roles["user"], users, notes) if user_features else None
    items, to_item = rows.items.vocabulary(item, for_items.row_of if for_items else ())
    user, item = to_user[user], to_item[item]
    late = _out_of_order(user, timestamp) if "timestamp" in rows.roles else 0
    kept = _latest(user, item, timestamp, len(items))
    duplicates = len(kept) - int(kept.sum())
    events = user[kept], item[kept], rating[kept], timestamp[kept]
    titles, genres = item_features_of(for_items, items, notes)
    rated_titles = {int(to_item[code]): title for code, title in rows.titles.items()}
    titles = [title or rated_titles.get(i) or items[i] for i, title in enumerate(titles)]
    preferences = preferences_of(for_users, users, notes) if for_users else []
    ratings = _to_ratings(path, events, (users, items, titles, genres, preferences), "rating" not in rows.roles)
    return ratings, _report(rows, ratings, duplicates, late, notes)


def _report(rows: "_Rows", ratings: Ratings, duplicates: int, late: int, notes: list[str]) -> RowReport:
    return RowReport(
        rows_read=rows.tally.start + len(rows.tally.malformed),
        rows_kept=len(ratings),
        rejected=rows.tally.rejected,
        first_rejected=rows.tally.first,
        duplicates=duplicates,
        out_of_order=late,
        has_timestamps="timestamp" in rows.roles,
        is_implicit=ratings.is_implicit,
        single_event_users=int((np.bincount(ratings.user) == 1).sum()),
        notes=notes,
    )


@dataclass
class _Rows:
    """Rows that passed, in chunks of (int32 user code, int32 item code, float32 rating, int64 timestamp)."""

    roles: dict[str, str]
    tally: Tally = field(default_factory=Tally)
    users: Ids = field(default_factory=Ids)
    items: Ids = field(default_factory=Ids)
    titles: dict[int, str] = field(default_factory=dict)
    units: set[str] = field(default_factory=set)
    chunks: list[list[np.ndarray]] = field(default_factory=lambda: [[], [], [], []])

    def joined(self) -> list[np.ndarray]:
        """The four columns whole; the chunks are given up one column at a time."""
        dtypes = (np.int32, np.int32, np.float32, np.int64)
        return [np.concatenate([np.empty(0, t), *self.chunks.pop(0)]).astype(t, copy=False) for t in dtypes]


def _read_rows(path: Path, mapping: Mapping[str, str], rating_range: tuple[float, float] | None) -> _Rows:
    table = open_table(path)
    rows = _Rows(find_columns(path, table.names, mapping))
    with said_plainly(path):
        for batch in table.batches(list(rows.roles.values()), rows.tally):
            _add_batch(rows, dict(zip(rows.roles, batch, strict=True)), rating_range)
    return rows


def _add_batch(rows: _Rows, batch: dict[str, pa.Array], rating_range: tuple[float, float] | None) -> None:
    n = len(batch["user"])
    ok = np.ones(n, bool)

    def reject(role: str, bad: np.ndarray, reason: str) -> None:
        rows.tally.reject(ok, bad, f"{role} {reason}", rows.roles[role], batch[role])

    user, item = rows.users.encode(batch["user"]), rows.items.encode(batch["item"])
    for role, codes in (("user", user), ("item", item)):
        reject(role, codes == EMPTY, "is empty")
        reject(role, codes == UNPRINTABLE, "has a line break or control character")
    rating, timestamp = np.ones(n, np.float32), np.arange(rows.tally.start, rows.tally.start + n)
    if "rating" in batch:
        values, state = as_numbers(batch["rating"])
        with np.errstate(over="ignore"):
            rating = values.astype(np.float32)
        reject("rating", state == ABSENT, "is empty")
        reject("rating", state == ODD, "is not a number")
        reject("rating", np.isnan(rating), "is NaN")
        reject("rating", np.isinf(rating), "is infinite")
        if rating_range:
            low, high = rating_range
            reject("rating", (values < low) | (values > high), f"is outside {low:g} to {high:g}")
    if "timestamp" in batch:
        timestamp, state = as_seconds(batch["timestamp"], rows.units)
        reject("timestamp", state == ABSENT, "is empty")
        reject("timestamp", state == ODD, "is neither seconds nor an ISO 8601 date")
    if "title" in batch:
        _add_titles(rows.titles, np.where(ok, item, EMPTY), as_text(batch["title"]))
    for chunks, column in zip(rows.chunks, (user, item, rating, timestamp), strict=True):
        chunks.append(column[ok])
    rows.tally.start += n


def _add_titles(titles: dict[int, str], item: np.ndarray, column: pa.Array) -> None:
    """Keep the first title of each item code."""
    places = np.flatnonzero((item >= 0) & column.is_valid().to_numpy(zero_copy_only=False))
    codes, first = np.unique(item[places], return_index=True)
    new = np.array([code not in titles for code in codes.tolist()], bool)
    texts = column.take(pa.array(places[first[new]])).to_pylist()
    titles.update({code: " ".join(t.split()) for code, t in zip(codes[new].tolist(), texts, strict=True) if t.strip()})


def _notes(rows: _Rows) -> list[str]:
    notes = ["columns: " + ", ".join(f"{role}={name}" for role, name in rows.roles.items())]
    if "rating" not in rows.roles:
        notes.append("no rating column: every row is a positive")
    if "timestamp" not in rows.roles:
        notes.append("no timestamp column: the order of the rows stands for time")
    notes += [f"some timestamps were taken as {unit}, by their size" for unit in sorted(rows.units)]
    return notes


def _require_enough(path: Path, tally: Tally, **ids_of: list[str]) -> None:
    why = "; ".join(f"{n:,} rejected: {reason} ({tally.first[reason]})" for reason, n in tally.rejected.items())
    for what, ids in ids_of.items():
        if len(ids) < 2:
            found = f"only {shown(ids[0])!r}" if ids else "no row that can be kept"
            given = f"{found} ({why})" if why else found
            raise InputError(str(path), expected=f"two {what} or more", given=given, do="correct or add rows")


def _out_of_order(user: np.ndarray, timestamp: np.ndarray) -> int:
    """How many rows are earlier than some previous row of their user."""
    order = np.argsort(user, kind="stable")
    first = int(timestamp.min())
    line = user[order].astype(np.int64) * (
        int(timestamp.max()) - first + 1
    )  # each user's span of time, laid end to end
    line += timestamp[order] - first
    return int((line < np.maximum.accumulate(line)).sum())


def _latest(user: np.ndarray, item: np.ndarray, timestamp: np.ndarray, n_items: int) -> np.ndarray:
    """bool[n]: the last row of each user and item, by timestamp, then by row."""
    pair = user.astype(np.int64) * n_items + item
    order = np.lexsort((timestamp, pair))
    pair = pair[order]
    kept = np.zeros(len(user), bool)
    kept[order[np.append(pair[1:] != pair[:-1], True)]] = True
    return kept


def _to_ratings(path: Path, events: tuple[np.ndarray, ...], known: tuple[list, ...], is_implicit: bool) -> Ratings:
    user, item, rating, timestamp = events
    if not is_implicit and (rating == rating[0]).all():
        raise InputError(
            str(path),
            expected="ratings that differ",
            given=f"{rating[0]:g} in each of {len(rating):,} rows",
            do="leave the rating column out, as in --columns user=COLUMN,item=COLUMN, to take rows as positives",
        )
    users, items, titles, genres, preferences = known
    return Ratings(
        name=path.name,
        user=user,
        item=item,
        rating=rating,
        timestamp=timestamp,
        users=users,
        items=items,
        titles=titles,
        genres=genres,
        user_preferences=preferences,
        is_implicit=is_implicit,
    )
