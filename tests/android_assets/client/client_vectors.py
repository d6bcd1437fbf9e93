"""Shared test vectors: titles, ids and histories that are easily read differently in two languages, with what Python makes of them.

`python -m tests.android_assets.client.client_vectors` writes the file that the Kotlin client's tests read as well; a test here
makes sure that it is what this code writes.
"""

import json
from pathlib import Path
from typing import Any

from pocketrec.core.files.vocabulary_files import read_vocabulary, write_vocabulary
from pocketrec.core.queries.history_parsing import HistoryEntry
from pocketrec.core.queries.item_names import ItemNames
from pocketrec.core.queries.model_inputs import feed
from pocketrec.core.queries.query import Catalogue
from pocketrec.core.queries.query_parsing import QueryParser

RESOURCES = Path(__file__).parents[3] / "android_assets" / "client" / "src" / "test" / "resources"
FILE = RESOURCES / "vocabulary_vectors.json"
WINDOW = 5
RATING_RANGE = (1.0, 5.0)

# (id, title). An id may hold anything but a line feed; a title may hold even that.
ITEMS = [
    ("1", "Amélie (2001)"),  # é as one code point (NFC)
    ("2", "Ame\u0301lie (2001)"),  # e and a combining accent (NFD): another title
    ("3", "amélie (2001)"),
    ("4", " Amélie (2001)"),
    ("5", "Amélie (2001) "),
    ("6", "千と千尋の神隠し"),
    ("7", "🎬 Surrogate pairs 👩\u200d👩\u200d👧"),
    ("8", "Twice (1999)"),
    ("9", "Twice (1999)"),  # the first of the two is meant
    ("10", "Line\u2028separator"),
    ("11", "Next\x85line"),
    ("12", "Tab\tand\x0bform\x0cfeed"),
    ("13", "Carriage\rreturn"),
    ("14", "Two\nlines"),
    ("15", "\ufeffByte order mark"),
    ("16", "İstanbul straße ﬁ"),  # letters whose case folds to others
    ("17", "E=mc2"),
    ("18", "Speed (1994)=5"),
    ("19", "No\u00a0break"),
    ("20", "Null\x00byte"),
    ("21", ""),
    ("é", "an id in NFC"),
    ("e\u0301", "an id in NFD"),
    (" 1", "an id with a space"),
    ("1\r", "an id with a carriage return"),
    ("\t", "a tab for an id"),
    ("a\u2028b", "an id with a line separator"),
    ("a\x85b", "an id with a next line"),
    ("a\x0bb\x0cc\x1cd", "an id with separators that Python's splitlines knows"),
    ("\ufeff1", "an id with a byte order mark"),
    ("🎬", "a surrogate pair for an id"),
    ("ǆ", "an id of one letter that is two"),
    ("", "an empty id"),
]
UNKNOWN = [
    "2 ",
    "AMÉLIE (2001)",
    "Amelie (2001)",
    "Nothing like it",
    "é ",
    "E\u0301",
    "\u2028",
    "a\nb",
    "🎬🎬",
    "\ufeff",
    "Null",
]

# Histories: titles with stars, or None for "watched, not rated".
HISTORIES: list[list[tuple[str, float | None]]] = [
    [],
    [("Amélie (2001)", 5.0)],
    [("Ame\u0301lie (2001)", None), ("Amélie (2001)", 3.5)],
    [("Twice (1999)", 4.0), ("Twice (1999)", 2.0)],
    [("E=mc2", 1.0), ("🎬 Surrogate pairs 👩\u200d👩\u200d👧", 5.0), ("E=mc2", None)],
    [("Two\nlines", None), ("Carriage\rreturn", 1.5), ("Line\u2028separator", 2.0), ("Next\x85line", 3.0)],
    [(title, 1.0 + number % 5) for number, (_, title) in enumerate(ITEMS[2:12])],
]

# Histories, and what is disliked besides, by title.
DISLIKES: list[tuple[list[tuple[str, float | None]], list[str]]] = [
    ([], ["Amélie (2001)"]),
    ([("E=mc2", 4.0), ("Amélie (2001)", None)], ["Two\nlines", "Ame\u0301lie (2001)"]),
    ([("Twice (1999)", 5.0), ("E=mc2", None)], ["Twice (1999)"]),
    ([(title, None) for _, title in ITEMS[2:12]], ["E=mc2", "No\u00a0break"]),
    ([("Null\x00byte", 5.0)], [title for _, title in ITEMS[2:6]] + ["Null\x00byte"]),
]


def make(folder: Path) -> dict[str, Any]:
    """The vectors: every known and unknown name with its id (-1 for none), and each history as model inputs.

    Args:
        folder: where the item vocabulary is written, to be read back as the kit reads it.
    """
    write_vocabulary(folder / "items.txt", [item for item, _ in ITEMS])
    tokens = read_vocabulary(folder / "items.txt")
    titles = [title for _, title in ITEMS]
    known = ItemNames(tokens, titles)
    names = Catalogue(items=tokens, users=[], preferences=["genre:Sci-Fi"], genres=[], window=WINDOW)
    return {
        "items": [{"id": item, "title": title, "genres": []} for item, title in ITEMS],
        "window": WINDOW,
        "ids": [{"token": name, "id": _number(known.by_id(name))} for name in [*tokens, *UNKNOWN]],
        "titles": [{"title": name, "id": _number(known.by_title(name))} for name in [*titles, *UNKNOWN]],
        "histories": [
            _history(history, dislike, names, titles)
            for history, dislike in [*((history, []) for history in HISTORIES), *DISLIKES]
        ],
    }


def _number(index: int | None) -> int:
    return -1 if index is None else index


def _history(
    history: list[tuple[str, float | None]], dislike: list[str], names: Catalogue, titles: list[str]
) -> dict[str, Any]:
    entries = [HistoryEntry(title, rating, "title") for title, rating in history]
    refused = [HistoryEntry(title, None, "title") for title in dislike]
    query = QueryParser(names, titles, RATING_RANGE).history(entries, ["genre:Sci-Fi"], (), refused).query
    return {
        "history": [[title, stars] for title, stars in history],
        "dislike": dislike,
        "inputs": {
            "history": feed("history", query, names).tolist(),
            "stars": feed("stars", query, names).tolist(),
            "seen": feed("seen", query, names).nonzero()[0].tolist(),
        },
    }


def to_text(vectors: dict[str, Any]) -> str:
    """As the file has it: ASCII, so that no editor changes a letter of it."""
    return json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        FILE.write_text(to_text(make(Path(place))), encoding="ascii")
