"""Ratings out of anybody's CSV or Parquet file, checked before anything is trained on them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ....core.errors import InputError
from ....core.records.run import RowReport
from ..ratings import Ratings, latest_of_each_pair
from .columns import shown
from .feature_file import item_features_of, preferences_of, read_features, split_genres
from .rating_rows import RatingRows, read_rows
from .tally import Tally


def read_ratings(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    item_features: Path | None = None,
    user_features: Path | None = None,
    rating_range: tuple[float, float] | None = None,
) -> tuple[Ratings, RowReport]:
    """Read ratings from a CSV or Parquet file, in batches, keeping 20 bytes per row.

    Args:
        path: a file whose name `is_table`.
        columns: a role of `ROLES` to a column; '' for an optional role that no column has. The others are found by their
            names. Without a rating column every row is a positive.
        item_features: a table of items; those without ratings join the catalogue.
        user_features: a table of users, for `Ratings.user_preferences`.
        rating_range: lowest and highest rating to accept.

    Returns:
        The ratings, and the report on the file's rows.

    Raises:
        InputError: a file cannot be read as what it should be, or too little in it can be used.
    """
    _check_range(rating_range)
    rows = read_rows(path, columns or {}, rating_range)
    notes = rows.notes()
    user, item, rating, timestamp = rows.joined()
    users, to_user = rows.users.vocabulary(user)
    rated, _ = rows.items.vocabulary(item)
    _require_enough(path, rows.tally, users=users, items=rated)
    for_items = read_features(item_features, "item", rows.roles["item"], rated, notes) if item_features else None
    for_users = read_features(user_features, "user", rows.roles["user"], users, notes) if user_features else None
    items, to_item = rows.items.vocabulary(item, for_items.row_of if for_items else ())
    user, item = to_user[user], to_item[item]
    kept = latest_of_each_pair(user, item, timestamp, len(items))
    titles, genres = _described(rows, to_item, items, item_features_of(for_items, items, notes))
    ratings = Ratings(
        name=path.name,
        user=user[kept],
        item=item[kept],
        rating=rating[kept],
        timestamp=timestamp[kept],
        users=users,
        items=items,
        titles=titles,
        genres=genres,
        user_preferences=preferences_of(for_users, users, notes) if for_users else [],
        is_implicit="rating" not in rows.roles,
        has_timestamps="timestamp" in rows.roles,
    )
    _require_different_ratings(path, ratings)
    late = _out_of_order(user, timestamp) if ratings.has_timestamps else 0
    return ratings, _report(rows, ratings, len(kept) - len(ratings), late, notes)


def _check_range(rating_range: tuple[float, float] | None) -> None:
    if rating_range and not rating_range[0] < rating_range[1]:
        raise InputError(
            "rating range",
            expected="LOW below HIGH",
            given=rating_range,
            do="swap or widen them",
            code="VALUE_OUT_OF_RANGE",
        )


def _described(
    rows: RatingRows, to_item: np.ndarray, items: list[str], known: tuple[list[str], list[list[str]]]
) -> tuple[list[str], list[list[str]]]:
    """Titles and genres of the item file, completed by those of the ratings; the id is the title of last resort."""
    rated_titles = {int(to_item[code]): title for code, title in rows.titles.items()}
    rated_genres = {int(to_item[code]): split_genres(text) for code, text in rows.genres.items()}
    titles, genres = known
    return (
        [title or rated_titles.get(i) or items[i] for i, title in enumerate(titles)],
        [list(dict.fromkeys([*listed, *rated_genres.get(i, [])])) for i, listed in enumerate(genres)],
    )


def _report(rows: RatingRows, ratings: Ratings, duplicates: int, late: int, notes: list[str]) -> RowReport:
    return RowReport(
        rows_read=rows.tally.start + len(rows.tally.malformed),
        rows_kept=len(ratings),
        rejected=rows.tally.rejected,
        first_rejected=rows.tally.first,
        duplicates=duplicates,
        out_of_order=late,
        has_timestamps=ratings.has_timestamps,
        is_implicit=ratings.is_implicit,
        single_event_users=int((np.bincount(ratings.user) == 1).sum()),
        notes=notes,
    )


def _require_enough(path: Path, tally: Tally, **ids_of: list[str]) -> None:
    why = "; ".join(f"{n:,} rejected: {reason} ({tally.first[reason]})" for reason, n in tally.rejected.items())
    for what, ids in ids_of.items():
        if len(ids) < 2:
            found = f"only {shown(ids[0])!r}" if ids else "no row that can be kept"
            given = f"{found} ({why})" if why else found
            raise InputError(
                str(path),
                expected=f"two {what} or more",
                given=given,
                do="correct or add rows",
                code="RATINGS_INVALID",
            )


def _out_of_order(user: np.ndarray, timestamp: np.ndarray) -> int:
    """How many rows are earlier than some previous row of their user."""
    order = np.argsort(user, kind="stable")
    first = int(timestamp.min())
    span = int(timestamp.max()) - first + 1
    line = user[order].astype(np.int64) * span  # the users' spans of time, laid end to end
    line += timestamp[order] - first
    return int((line < np.maximum.accumulate(line)).sum())


def _require_different_ratings(path: Path, ratings: Ratings) -> None:
    rating = ratings.rating
    if not ratings.is_implicit and (rating == rating[0]).all():
        raise InputError(
            str(path),
            expected="ratings that differ",
            given=f"{rating[0]:g} in each of {len(rating):,} rows",
            do="pass --columns rating= to take every row as a positive",
            code="RATINGS_INVALID",
        )
