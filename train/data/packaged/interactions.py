"""From columns of tokens to ratings."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..ratings import Ratings, latest_of_each_pair, vocabulary_of


def as_ratings(
    name: str,
    user: np.ndarray,
    item: np.ndarray,
    *,
    rating: np.ndarray | None = None,
    timestamp: np.ndarray | None = None,
    titles: Mapping[str, str] | None = None,
    genres: Mapping[str, Sequence[str]] | None = None,
) -> Ratings:
    """Ratings over the vocabularies of two columns; of a user's events with an item the last counts, as in a file of ratings.

    Args:
        user, item: tokens str[n].
        rating: float[n]; implicit without.
        timestamp: int64[n], seconds since 1970; the order of the rows without.
        titles, genres: of items, by token; the token is the title of last resort.
    """
    users, u = vocabulary_of(user)
    items, i = vocabulary_of(item)
    time = np.arange(len(u), dtype=np.int64) if timestamp is None else timestamp.astype(np.int64)
    kept = np.flatnonzero(latest_of_each_pair(u, i, time, len(items)))
    return Ratings(
        name=name,
        user=u[kept],
        item=i[kept],
        rating=np.ones(len(kept), np.float32) if rating is None else rating.astype(np.float32)[kept],
        timestamp=time[kept],
        users=users,
        items=items,
        titles=[(titles or {}).get(token, token) for token in items],
        genres=[list((genres or {}).get(token, ())) for token in items],
        is_implicit=rating is None,
        has_timestamps=timestamp is not None,
    )


def seconds_of_days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """int64[n]: seconds since 1970-01-01 at the start of each day."""
    months = (year.astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (
        month.astype(np.int64) - 1
    )
    return (months.astype("datetime64[D]") + (day.astype(np.int64) - 1)).astype("datetime64[s]").astype(np.int64)
