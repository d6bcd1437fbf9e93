"""Content of items and preferences of users, as sparse indicator matrices."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.queries.histories import Histories
from .ratings import Ratings

# Words that occur in fewer titles than this carry no information about other items.
LEAST_TITLES = 3
_YEAR = re.compile(r"\((\d{4})\)")
_WORD = re.compile(r"[^\W\d_]{3,}")
# Kinds of tokens.
GENRE, _OF_WORD = "genre:", "word:"
FAVOURITE_GENRES = 3
# The genre filter has the most frequent genres only: its size grows with their number and with the distinct sets of them.
MOST_FILTER_GENRES = 32


@dataclass(frozen=True)
class Indicators:
    """A sparse float32[n_rows, n_tokens]: which rows have which tokens.

    Attributes:
        tokens: column names.
        row, column: int64[m] positions, sorted by row.
        value: float32[m].
        n_rows: number of rows.
    """

    tokens: list[str]
    row: np.ndarray
    column: np.ndarray
    value: np.ndarray
    n_rows: int

    def dense(self) -> np.ndarray:
        """The same as a full matrix."""
        matrix = np.zeros((self.n_rows, len(self.tokens)), np.float32)
        matrix[self.row, self.column] = self.value
        return matrix


def indicators(rows: Sequence[Sequence[str]], tokens: Sequence[str], *, unit_length: bool = False) -> Indicators:
    """Mark the tokens of each row; tokens outside `tokens` are left out. `unit_length` scales rows to length 1."""
    index = {token: number for number, token in enumerate(tokens)}
    found = [sorted({index[token] for token in row if token in index}) for row in rows]
    counts = np.array([len(columns) for columns in found], np.int64)
    value = np.repeat(1 / np.sqrt(np.maximum(counts, 1)) if unit_length else np.ones(len(counts)), counts)
    column = np.array([column for columns in found for column in columns], np.int64)
    return Indicators(
        list(tokens), np.repeat(np.arange(len(rows)), counts), column, value.astype(np.float32), len(rows)
    )


def item_content(ratings: Ratings) -> Indicators:
    """Genres, five-year period and title words of every item, rows of length 1."""
    rows = item_tokens(ratings.titles, ratings.genres)
    counts = Counter(token for row in rows for token in row)
    tokens = {token for token in counts if not token.startswith(_OF_WORD) or counts[token] >= LEAST_TITLES}
    return indicators(rows, sorted(tokens), unit_length=True)


def item_tokens(titles: Iterable[str], genres: Iterable[Sequence[str]]) -> list[list[str]]:
    """Tokens of each item from its title and genres; all words, however rare."""
    return [
        [GENRE + genre for genre in row] + _period(title) + [_OF_WORD + word for word in _words(title)]
        for title, row in zip(titles, genres, strict=True)
    ]


def _words(title: str) -> list[str]:
    return sorted(set(_WORD.findall(_YEAR.sub("", title).casefold())))


def _period(title: str) -> list[str]:
    years = _YEAR.findall(title)
    return [f"years:{int(years[-1]) // 5 * 5}"] if years else []


def preference_vocabulary(ratings: Ratings) -> list[str]:
    """Everything a user may declare: every genre, and every token that users of the data declared."""
    declared = {token for row in ratings.user_preferences for token in row}
    return sorted({GENRE + genre for genres in ratings.genres for genre in genres} | declared)


def filter_genres(ratings: Ratings) -> list[str]:
    """The genres a list can be narrowed to: the most frequent of the catalogue, in alphabetical order."""
    counts = Counter(genre for genres in ratings.genres for genre in set(genres))
    most = sorted(counts, key=lambda genre: (-counts[genre], genre))[:MOST_FILTER_GENRES]
    return sorted(most)


def declared_preferences(ratings: Ratings) -> list[list[str]]:
    """The preferences of each user of `ratings.users`, empty where the data has none."""
    return list(ratings.user_preferences) or [[] for _ in ratings.users]


def favourite_genres(ratings: Ratings, seen: Histories) -> list[list[str]]:
    """For each user the genres most over-represented in their history; in training they stand in for declared favourites."""
    tokens = sorted({genre for genres in ratings.genres for genre in genres})
    if not tokens:
        return [[] for _ in ratings.users]
    table = indicators(ratings.genres, tokens).dense()
    overall = table[seen.item].mean(axis=0) + 1e-6
    favourites = []
    for user in range(len(ratings.users)):
        items = seen.items_of(user)
        lift = (table[items].sum(axis=0) + 1) / (overall * len(items) + 1)
        favourites.append([GENRE + tokens[g] for g in np.argsort(-lift)[:FAVOURITE_GENRES]] if len(items) else [])
    return favourites
