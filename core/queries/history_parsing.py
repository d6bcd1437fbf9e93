"""From a history in names to items and ratings.

An item is named by its id or its title; an id wins. Exact titles win over titles that differ in case only.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import InputError
from .item_names import ItemNames
from .near_misses import suggest_item


@dataclass(frozen=True)
class HistoryEntry:
    """One item of a history.

    Attributes:
        name: its id or title.
        rating: what it was rated; None for "used, not rated".
        kind: what `name` is.
    """

    name: str
    rating: float | None = None
    kind: Literal["id", "title", "either"] = "either"


# A history, oldest first: `{"Speed (1994)": 5}`, or a list of `TITLE`, `TITLE=RATING`, (name, rating) pairs and `HistoryEntry`.
History = Mapping[str, float | None] | Iterable[str | tuple[str, float | None] | HistoryEntry]


@dataclass(frozen=True)
class Labels:
    """What errors call the parts of a query; `{place}` is the position in its list.

    Attributes:
        rating: the rating of an entry that is not a `TITLE=RATING` text.
        leave_out: how to leave out unknown items, where the nearest names are not suggested.
    """

    query: str = "query"
    parts: str = "--user, --history, --dislike, --prefer or --genre"
    history: str = "--history"
    rating: str = "--history"
    dislike: str = "--dislike"
    prefer: str = "--prefer"
    genre: str = "--genre"
    user: str = "--user"
    leave_out: str = "pass --skip-unknown to leave it out"


@dataclass(frozen=True)
class FoundItem:
    """An item of a history: its index, its rating, and whether its title was what named it."""

    item: int
    rating: float | None
    by_title: bool


class HistoryParser:
    """Parses histories of one catalogue's items; see `QueryParser`."""

    def __init__(
        self, names: ItemNames, rating_range: Sequence[float], labels: Labels, *, suggest_nearest: bool
    ) -> None:
        self.names = names
        self._low, self._high = (float(value) for value in rating_range)
        self._labels, self._suggests = labels, suggest_nearest

    def parse(self, entries: Sequence[object], *, skip_unknown: bool = False) -> tuple[list[FoundItem], list[str]]:
        """Each entry's item and rating, in the order given, and notes on those that were left out.

        Raises:
            InputError: an item that is unknown, or a rating that is not a number or out of range.
        """
        found: list[FoundItem] = []
        notes: list[str] = []
        for place, entry in enumerate(entries):
            name, one = self._find(place, entry)
            if one is not None:
                found.append(one)
            elif skip_unknown:
                notes.append(f"left out {name!r}: not in the catalogue")
            else:
                self._refuse_item(place, name, entry)
        return found, notes

    def _find(self, place: int, entry: object) -> tuple[str, FoundItem | None]:
        """What an entry names, and its item; None where the catalogue has none."""
        if isinstance(entry, str):
            return self._find_text(place, entry)
        if not isinstance(entry, HistoryEntry):
            entry = self._structured(place, entry)
        one = self._item(entry)
        if one is not None:
            self._check_rating(self._labels.rating.format(place=place), entry.rating, entry.rating)
        return entry.name, one

    def _structured(self, place: int, entry: object) -> HistoryEntry:
        if isinstance(entry, tuple | list) and len(entry) == 2 and isinstance(entry[0], str):
            rating = entry[1]
            if rating is None or (isinstance(rating, int | float | np.number) and not isinstance(rating, bool)):
                return HistoryEntry(entry[0], None if rating is None else float(rating))
            self._check_rating(self._labels.rating.format(place=place), math.nan, rating)
        raise InputError(
            self._labels.history.format(place=place),
            expected="a name, or a name and a rating",
            given=repr(entry),
            do='write "TITLE", "TITLE=RATING" or ("TITLE", RATING)',
            code="INPUT_INVALID",
        )

    def _find_text(self, place: int, text: str) -> tuple[str, FoundItem | None]:
        """`NAME` or `NAME=RATING`; a name may hold '=' itself."""
        name, equals, rating = text.rpartition("=")
        for lookup in (self._exact, self._folded):
            if (one := lookup(text, None)) is not None:
                return text, one
            if equals and (one := lookup(name, None)) is not None:
                value = _number(rating)
                self._check_rating(self._labels.history.format(place=place), math.nan if value is None else value, text)
                return name, FoundItem(one.item, value, one.by_title)
        return (name if name and _number(rating) is not None else text), None

    def _item(self, entry: HistoryEntry) -> FoundItem | None:
        if entry.kind == "id":
            item = self.names.by_id(entry.name)
            return None if item is None else FoundItem(item, entry.rating, by_title=False)
        if entry.kind == "title":
            item = self.names.by_title(entry.name)
            item = self.names.by_folded_title(entry.name) if item is None else item
            return None if item is None else FoundItem(item, entry.rating, by_title=True)
        return self._exact(entry.name, entry.rating) or self._folded(entry.name, entry.rating)

    def _exact(self, name: str, rating: float | None) -> FoundItem | None:
        if (item := self.names.by_id(name)) is not None:
            return FoundItem(item, rating, by_title=False)
        item = self.names.by_title(name)
        return None if item is None else FoundItem(item, rating, by_title=True)

    def _folded(self, name: str, rating: float | None) -> FoundItem | None:
        item = self.names.by_folded_title(name)
        return None if item is None else FoundItem(item, rating, by_title=True)

    def _check_rating(self, what: str, rating: float | None, given: object) -> None:
        """Refuse a rating that is not a number or out of range; `given` is what the error shows."""
        if rating is not None and not self._low <= rating <= self._high:
            raise InputError(
                what,
                expected=f"a rating from {self._low:g} to {self._high:g}",
                given=repr(given),
                do="write TITLE=RATING with a number in that range",
                code="STARS_INVALID",
            )

    def _refuse_item(self, place: int, name: str, entry: object) -> None:
        kind = entry.kind if isinstance(entry, HistoryEntry) else "either"
        expected = {"id": "an id of the catalogue", "title": "a title of the catalogue"}
        raise InputError(
            self._labels.history.format(place=place),
            expected=expected.get(kind, "a title or id of the catalogue"),
            given=repr(name),
            do=suggest_item(name, kind, self.names) if self._suggests else self._labels.leave_out,
            code="ITEM_UNKNOWN",
        )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
