"""A second file, about items or users: titles, genres, and categories as tokens."""

import re
from dataclasses import dataclass
from pathlib import Path

from ....core.errors import InputError
from .column_values import as_text, flaw, whole_numbers
from .columns import is_known_as, shown
from .csv_parquet import open_table, readable
from .tally import Tally

# A column with more values than this is categorical only if, on average, each occurs twice: names and numbers are not.
_ALWAYS_CATEGORICAL = 100


@dataclass(frozen=True)
class Features:
    """A table of items or users.

    Attributes:
        name: the file's.
        row_of: id to row; of rows with the same id the last.
        columns: text of each column but the id's, by name; '' where there is none.
    """

    name: str
    row_of: dict[str, int]
    columns: dict[str, list[str]]


def read_features(path: Path, role: str, own_name: str, rated: list[str] | None, notes: list[str]) -> Features:
    """Read a table of the `role`'s features; the ids are in the column named `own_name`, like the role, or the first.

    Args:
        rated: ids it is expected to be about; None for a table of others, such as new items.

    Raises:
        InputError: it cannot be read, or none of its ids is in `rated`.
    """
    table, tally = open_table(path), Tally()
    like_it = [name for name in table.names if is_known_as(name, role)]
    key = own_name if own_name in table.names else (like_it or table.names)[0]
    wanted = list(dict.fromkeys([key, *table.names]))
    columns: dict[str, list[str]] = {name: [] for name in wanted}
    with readable(path):
        for batch in table.batches(wanted, tally):
            for name, column in zip(wanted, batch, strict=True):
                columns[name] += [text or "" for text in as_text(column).to_pylist()]
    ids = whole_numbers([text.strip() for text in columns.pop(key)])
    columns = {name: [" ".join(text.split()) for text in texts] for name, texts in columns.items()}
    row_of = {token: row for row, token in enumerate(ids) if not flaw(token)}
    if rated is not None:
        _note_matches(path, role, key, row_of, rated, notes)
    if left_out := len(tally.malformed) + sum(flaw(token) != 0 for token in ids):
        notes.append(f"{path.name}: {left_out:,} rows without a usable id or with the wrong number of columns left out")
    return Features(path.name, row_of, columns)


def _note_matches(path: Path, role: str, key: str, row_of: dict[str, int], rated: list[str], notes: list[str]) -> None:
    matched = sum(token in row_of for token in rated)
    if not matched:
        example = f"such as {shown(next(iter(row_of)))!r}" if row_of else "of which none is usable"
        raise InputError(
            str(path),
            expected=f"{role} ids of the ratings, such as {shown(rated[0])!r}",
            given=f"ids {example} in column {key!r}",
            do=f"name its id column as in the ratings, or use their {role} ids",
            code="INPUT_MISMATCH",
        )
    if unrated := len(row_of) - matched:
        fate = "they are in the catalogue" if role == "item" else "they are left out"
        notes.append(f"{path.name}: {unrated:,} {role}s have no ratings; {fate}")
    if unknown := len(rated) - matched:
        notes.append(f"{path.name}: {unknown:,} of {len(rated):,} {role}s in the ratings are not in it")


def item_features_of(table: Features | None, items: list[str], notes: list[str]) -> tuple[list[str], list[list[str]]]:
    """Title and genres of each of `items`: '' and [] where unknown; titles end with the year, as MovieLens' do."""
    if table is None:
        return [""] * len(items), [[] for _ in items]
    recognised = {
        role: next((name for name in table.columns if is_known_as(name, role)), "")
        for role in ("title", "genres", "year")
    }
    rest = [name for name in table.columns if name not in recognised.values()]
    tags = _tokens(table, rest, "=", notes)
    rows = [table.row_of.get(token) for token in items]
    blank = [""] * len(tags)
    title, genres, year = (table.columns.get(recognised[role], blank) for role in ("title", "genres", "year"))
    return (
        ["" if row is None else _with_year(title[row], year[row]) for row in rows],
        [[] if row is None else list(dict.fromkeys(split_genres(genres[row]) + tags[row])) for row in rows],
    )


def preferences_of(table: Features, users: list[str], notes: list[str]) -> list[list[str]]:
    """Tokens `column:value` of each of `users`."""
    tokens = _tokens(table, list(table.columns), ":", notes)
    return [tokens[table.row_of[token]] if token in table.row_of else [] for token in users]


def _with_year(title: str, year: str) -> str:
    whole = re.fullmatch(r"(\d{4})(\.0+)?", year)
    return f"{title} ({whole[1]})" if title and whole and f"({whole[1]})" not in title else title


def split_genres(genres: str) -> list[str]:
    """Genres of a cell, separated by '|' or, where there is none, by ','."""
    return [genre.strip() for genre in genres.split("|" if "|" in genres else ",") if genre.strip()]


def _tokens(table: Features, names: list[str], joint: str, notes: list[str]) -> list[list[str]]:
    """Tokens of each row, from those of the columns `names` that are categorical."""
    n_rows = max((len(values) for values in table.columns.values()), default=max(table.row_of.values()) + 1)
    tokens: list[list[str]] = [[] for _ in range(n_rows)]
    for name in names:
        values = whole_numbers([value for value in table.columns[name] if value])
        distinct = len(set(values))
        if distinct > _ALWAYS_CATEGORICAL and distinct * 2 > len(values):
            notes.append(f"{table.name}: column {name} is not categorical ({distinct:,} values); left out")
            continue
        remaining = iter(values)
        for row, value in enumerate(table.columns[name]):
            if value:
                tokens[row].append(f"{name}{joint}{next(remaining)}")
    return tokens
