"""Titles that somebody may have meant: typos, a missing year, an article in another place, other accents or signs."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..errors import nearest
from .item_names import ItemNames

MOST = 3
# Similarities (difflib's ratio) from which a title is offered; a title that holds the words asked for has at least `HOLDS`.
LEAST, HOLDS = 0.6, 0.7

_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
_ARTICLE_LAST = re.compile(r",\s*(?:the|an?|les?|la|el|il|das?|der|die)(?=\s*(?:\(|$))")
_ARTICLE_FIRST = re.compile(r"^(?:the|an?|les?|la|el|il|das?|der|die)\s+")
_SIGNS = re.compile(r"[^\w]+")


def suggest_item(name: str, kind: str, names: ItemNames) -> str:
    """What to do about an unknown item: the titles or ids that resemble it, if any.

    Args:
        kind: whether `name` was meant as an `id`, a `title` or `either`.
    """
    close = nearest(name, names.ids, MOST) if kind == "id" else nearest_titles(name, names.titles)
    return f"did you mean {' or '.join(repr(one) for one in close)}?" if close else "nothing resembles it"


def nearest_titles(name: str, titles: Iterable[str], n: int = MOST) -> list[str]:
    """Up to `n` of `titles` that `name` may have meant, best first."""
    wanted, year = _plain(name)
    if not wanted:
        return []
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(wanted)
    found: dict[str, tuple[float, bool]] = {}
    for title in titles:
        plain, its_year = _plain(title)
        likeness = _likeness(matcher, wanted, plain)
        if likeness >= LEAST:
            found[title] = likeness, bool(year) and year == its_year
    return sorted(found, key=lambda title: (-found[title][0], not found[title][1], len(title), title))[:n]


def _likeness(matcher: "difflib.SequenceMatcher[str]", wanted: str, plain: str) -> float:
    matcher.set_seq1(plain)
    likeness = 0.0
    if matcher.real_quick_ratio() >= LEAST and matcher.quick_ratio() >= LEAST:
        likeness = matcher.ratio()
    if len(wanted) > MOST and _holds(plain.split(), wanted.split()):
        return max(likeness, HOLDS + (1 - HOLDS) * len(wanted) / len(plain))
    return likeness


def _holds(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether every word asked for is in the title, the last one perhaps only begun."""
    return set(wanted[:-1]) <= set(words) and any(word.startswith(wanted[-1]) for word in words)


def _plain(title: str) -> tuple[str, str]:
    """Words without case, accents, signs, a leading or trailing article and the year; and the year, or ''."""
    letters = unicodedata.normalize("NFKD", title.casefold())
    folded = "".join(letter for letter in letters if not unicodedata.combining(letter))
    year = _YEAR.search(folded)
    folded = _YEAR.sub("", folded)
    folded = _ARTICLE_FIRST.sub("", _ARTICLE_LAST.sub("", folded))
    return _SIGNS.sub(" ", folded).strip(), year.group(1) if year else ""
