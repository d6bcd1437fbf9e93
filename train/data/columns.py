"""What a table's columns mean, and the report on what its rows held; nothing here reads a file."""

import re
from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import InputError, nearest, pick

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".parquet")
ROLES = ("user", "item", "rating", "timestamp", "title")
REQUIRED = ROLES[:2]
# Names a column is known by, in lower case and without '_', '-' and ' '.
NAMES = {
    "user": "user userid uid reviewerid customer customerid memberid profileid visitorid",
    "item": "item itemid iid movie movieid film filmid asin product productid sku book bookid isbn gameid animeid trackid "
    "songid artistid businessid",
    "rating": "rating ratings userrating stars starrating score overall",
    "timestamp": "timestamp time ts date datetime unixtime unixreviewtime ratingtimestamp eventtime createdat ratedat",
    "title": "title movietitle itemtitle producttitle booktitle name itemname",
    "genres": "genres genre",
    "year": "year releaseyear",
}
MALFORMED = "wrong number of columns"


def is_table(name: str) -> bool:
    """Whether `--data NAME` means a file: .csv, .tsv, .csv.gz or .parquet, in any case."""
    return name.lower().endswith(SUFFIXES)


def parse_columns(text: str) -> dict[str, str]:
    """Read `user=uid,item=iid,rating=stars` into {role: column}.

    Raises:
        InputError: an unknown role, a role twice, or a part that is not ROLE=COLUMN.
    """
    chosen: dict[str, str] = {}
    for part in text.split(","):
        role, equals, name = (piece.strip() for piece in part.partition("="))
        if not (role and equals and name):
            raise InputError(
                "--columns", expected="ROLE=COLUMN,...", given=repr(text), do="write user=COLUMN,item=COLUMN"
            )
        if pick("--columns", role, ROLES) in chosen:
            raise InputError("--columns", expected="each role once", given=f"{role} twice", do="leave one out")
        chosen[role] = name
    return chosen


def find_columns(path: Path, names: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The column of each role: as mapped, else by its name; with a mapping, optional roles are taken only from it.

    Raises:
        InputError: user or item is missing, a mapped column is not there, or two columns could be one role.
    """
    for role in mapping:
        pick("--columns", role, ROLES)
    chosen: dict[str, str] = {}
    for role in ROLES:
        if role in mapping:
            found = [name for name in names if name == mapping[role]]
        elif mapping and role not in REQUIRED:
            continue
        else:
            found = [name for name in names if is_known_as(name, role) and name not in mapping.values()]
        if len(found) > 1:
            given = f"{len(found)} that could be it: {', '.join(found)}"
            raise InputError(
                str(path), expected=f"one {role} column", given=given, do=f"pass --columns with {role}=COLUMN"
            )
        if found:
            chosen[role] = found[0]
        elif role in mapping or role in REQUIRED:
            raise _missing(path, names, role, mapping.get(role))
    return chosen


def is_known_as(name: str, role: str) -> bool:
    """Whether a column's name says, without case, '_', '-' and ' ', that it is the role's."""
    return re.sub(r"[_\- ]", "", name.casefold()) in NAMES[role].split()


def _missing(path: Path, names: list[str], role: str, mapped: str | None) -> InputError:
    listed = ", ".join(map(shown, names[:20])) + (", …" if len(names) > 20 else "")
    close = nearest(mapped, names, n=1) if mapped else []
    if close:
        do = f"did you mean {close[0]}?"
    elif all(re.fullmatch(r"[-\d.:]*", name) for name in names):
        do = "give the file a first line that names its columns, such as user,item,rating,timestamp"
    else:
        do = f"pass --columns with {role}=COLUMN"
    expected = f"a column {mapped!r} for the {role}" if mapped else f"a {role} column"
    return InputError(str(path), expected=expected, given=f"the columns {listed}", do=do)


@dataclass(frozen=True)
class RowReport:
    """What was read, rejected and noticed; `rows_read` is `rows_kept` + `duplicates` + all that was rejected.

    Attributes:
        rejected: rows by reason.
        first_rejected: an example by reason, `row 17: rating=abc`; the row after the header is row 1.
        duplicates: earlier ratings of an item by the same user, left out.
        out_of_order: rows with an earlier timestamp than some row of the same user above them.
        notes: what else the reader of a report should know, a line each.
    """

    rows_read: int
    rows_kept: int
    rejected: dict[str, int]
    first_rejected: dict[str, str]
    duplicates: int
    out_of_order: int
    has_timestamps: bool
    is_implicit: bool
    single_event_users: int
    notes: list[str]

    def lines(self) -> list[str]:
        """The report for people, a line each."""
        counted = (
            (self.duplicates, "duplicates: a user's last rating of an item is kept"),
            (self.out_of_order, "rows are older than a row of the same user above them: sorted by timestamp"),
            (self.single_event_users, "users have a single event: nothing of theirs can be held out"),
        )
        return [
            f"{self.rows_read:,} rows read, {self.rows_kept:,} kept",
            *(f"{n:,} rejected: {reason} ({self.first_rejected[reason]})" for reason, n in self.rejected.items()),
            *(f"{n:,} {text}" for n, text in counted if n),
            *self.notes,
        ]

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object, keys as the attributes."""
        return asdict(self)


@dataclass
class Tally:
    """Rows read and rejected so far.

    Attributes:
        start: well-formed rows before the current batch.
        malformed: row numbers that had the wrong number of columns, ascending.
    """

    start: int = 0
    malformed: array = field(default_factory=lambda: array("q"))
    rejected: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def reject(self, ok: np.ndarray, bad: np.ndarray, reason: str, name: str, column: Any) -> None:
        """Clear bool[n] `ok` where `bad` and count what was still ok; the pyarrow `column` called `name` shows why."""
        bad = ok & bad
        if not bad.any():
            return
        at = int(np.argmax(bad))
        self.rejected[reason] = self.rejected.get(reason, 0) + int(bad.sum())
        self.first.setdefault(reason, f"row {self._row(at)}: {name}={shown(column[at].as_py())}")
        ok &= ~bad

    def reject_malformed(self, row: int, text: str) -> None:
        """Count a row that could not be split into the header's columns."""
        self.malformed.append(row)
        self.rejected[MALFORMED] = len(self.malformed)
        self.first.setdefault(MALFORMED, f"row {row}: {shown(text)}")

    def _row(self, at: int) -> int:
        row = self.start + at + 1
        for malformed in self.malformed:
            if malformed > row:
                break
            row += 1
        return row


def shown(value: object) -> str:
    """A value as one short line; nothing for None."""
    text = "" if value is None else str(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 40 else f"{text[:39]}…"
