"""Turning what a person says (films with stars, likes) into a query, and saying plainly what cannot be understood."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError, nearest
from .query import Catalogue, Query


@dataclass(frozen=True)
class Asked:
    """A query, and what was noticed on the way to it."""

    query: Query
    notes: list[str] = field(default_factory=list)


def ask_history(
    history: Sequence[str], prefer: Sequence[str], names: Catalogue, titles: Sequence[str], rating_range: Sequence[float], *,
    skip_unknown: bool = False,
) -> Asked:  # fmt: skip
    """A query from `TITLE[=STARS]` entries, oldest first, and preferences such as `Sci-Fi` or `gender:F`.

    A film named twice counts once, with its last stars; a history longer than the window keeps its newest films. Both are noted.

    Raises:
        InputError: neither given, models without history, an unknown title or preference (the nearest are named; titles are left
            out instead with `skip_unknown`), stars that are no number or outside `rating_range`.
    """
    if not history and not prefer:
        raise InputError("query", expected="--user, --history or --prefer", given="none of them", do="pass one")
    parsed, notes = parse_history(history, titles, rating_range, skip_unknown=skip_unknown)
    if not names.window:
        raise InputError(
            "--history",
            expected="models whose query is a history",
            given="models keyed by user id",
            do="pass --user ID",
        )
    declared = [_preference(text, names.preferences) for text in prefer]
    last = dict(parsed)
    if len(last) < len(parsed):
        notes.append(f"{len(parsed) - len(last)} films were named more than once; the last stars count")
    if len(last) > names.window:
        notes.append(f"{len(last)} films given; the newest {names.window} count")
    if not last and not declared:
        raise InputError(
            "query",
            expected="at least one known film or preference",
            given="none",
            do="name another film, or pass --prefer",
        )
    seen = np.array(list(last), np.int32)
    stars = np.array([0.0 if value is None else value for value in last.values()], np.float32)
    return Asked(Query(-1, np.empty(0, np.int32), np.empty(0, np.float32), seen, stars, declared), notes)


def parse_history(
    entries: Sequence[str], titles: Sequence[str], rating_range: Sequence[float], *, skip_unknown: bool = False
) -> tuple[list[tuple[int, float | None]], list[str]]:
    """Turn `TITLE[=STARS]` into (item id, stars) and notes; a title may hold '=' itself.

    Raises:
        InputError: an unknown title, or stars that are no number or out of range.
    """
    index = {title: number for number, title in reversed(list(enumerate(titles)))}
    parsed: list[tuple[int, float | None]] = []
    notes = []
    for entry in entries:
        title, equals, stars = entry.rpartition("=")
        if entry in index:
            parsed.append((index[entry], None))
        elif equals and title in index:
            parsed.append((index[title], _stars(entry, stars, rating_range)))
        elif skip_unknown:
            notes.append(f"left out {entry!r}: not in the catalogue")
        else:
            unknown = title if title and _number(stars) is not None else entry
            raise InputError(
                "--history", expected="a title of the catalogue", given=repr(unknown), do=suggest(unknown, titles)
            )
    return parsed, notes


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _stars(entry: str, text: str, rating_range: Sequence[float]) -> float:
    value = _number(text)
    low, high = rating_range
    if value is None:
        raise InputError(
            "--history", expected="TITLE=STARS with a number", given=repr(entry), do="write 5 for five stars"
        )
    if not low <= value <= high:
        raise InputError(
            "--history", expected=f"{low:g} to {high:g} stars", given=repr(entry), do="choose stars in that range"
        )
    return value


def _preference(text: str, vocabulary: Sequence[str]) -> str:
    by_name = {token.casefold(): token for token in vocabulary} | {
        token.partition(":")[2].casefold(): token for token in vocabulary
    }
    token = by_name.get(text.casefold())
    if token is None:
        names = [token.partition(":")[2] for token in vocabulary]
        raise InputError(
            "--prefer", expected="a genre or another declared preference", given=repr(text), do=suggest(text, names)
        )
    return token


def known_genres(asked: Sequence[str], genres: Sequence[str]) -> list[str]:
    """The genres a list is narrowed to, as the catalogue writes them.

    Raises:
        InputError: the models know no such genre (the nearest are named).
    """
    by_name = {genre.casefold(): genre for genre in genres}
    for name in asked:
        if name.casefold() not in by_name:
            expected = "one of the catalogue's genres" if genres else "models whose items have genres"
            raise InputError("--genre", expected=expected, given=repr(name), do=suggest(name, genres))
    return [by_name[name.casefold()] for name in asked]


def suggest(name: str, names: Sequence[str]) -> str:
    """What to do about an unknown name: the nearest ones, if any resemble it."""
    close = nearest(name, names)
    return f"did you mean {' or '.join(repr(n) for n in close)}?" if close else "nothing resembles it"


def user_index(user: str, users: Sequence[str]) -> int:
    """Index of a known user.

    Raises:
        InputError: unknown (the nearest are named), or the models know no users.
    """
    if not users:
        raise InputError(
            "--user",
            expected="models keyed by user id",
            given="models whose query is a history",
            do='pass --history "TITLE=STARS"',
        )
    if user not in users:
        close = nearest(user, users)
        do = f"did you mean {' or '.join(close)}?" if close else f"users look like {', '.join(list(users)[:3])}"
        raise InputError("--user", expected=f"one of {len(users)} known users", given=repr(user), do=do)
    return list(users).index(user)
