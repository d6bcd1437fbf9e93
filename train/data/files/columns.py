"""What the columns of a ratings file mean; nothing here reads a file, and nothing heavy is imported."""

import re
from collections.abc import Mapping
from pathlib import Path

from ....core.errors import InputError, nearest, pick

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".parquet")
ROLES = ("user", "item", "rating", "timestamp", "title", "genres")
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


def is_table(name: str) -> bool:
    """Whether `--data NAME` is a file: its name ends in .csv, .tsv, .csv.gz or .parquet, in any case."""
    return name.lower().endswith(SUFFIXES)


def parse_columns(text: str) -> dict[str, str]:
    """Read `user=uid,item=iid,rating=` into {role: column}; '' means that the file has no column of an optional role.

    Raises:
        InputError: an unknown role, a role twice, or a part that is not ROLE=COLUMN.
    """
    chosen: dict[str, str] = {}
    for part in text.split(","):
        role, equals, name = (piece.strip() for piece in part.partition("="))
        if not (role and equals) or (role in REQUIRED and not name):
            raise InputError(
                "--columns",
                expected="ROLE=COLUMN,...",
                given=repr(text),
                do="write user=COLUMN,item=COLUMN",
                code="COLUMNS_INVALID",
            )
        if pick("--columns", role, ROLES) in chosen:
            raise InputError(
                "--columns",
                expected="each role once",
                given=f"{role} twice",
                do="leave one out",
                code="COLUMNS_INVALID",
            )
        chosen[role] = name
    return chosen


def find_columns(path: Path, names: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The column of each role: the mapped one, else the one that is known by its name and not mapped to another role.

    Args:
        names: the columns of the file.
        mapping: role to column; '' for an optional role that no column of the file has.

    Raises:
        InputError: user or item is missing, a mapped column is not there, or two columns could be one role.
    """
    for role in mapping:
        pick("--columns", role, ROLES)
    chosen: dict[str, str] = {}
    for role in ROLES:
        if mapping.get(role) == "" and role not in REQUIRED:
            continue
        if role in mapping:
            found = [name for name in names if name == mapping[role]]
        else:
            found = [name for name in names if is_known_as(name, role) and name not in mapping.values()]
        if len(found) > 1:
            raise _ambiguous(path, role, found)
        if found:
            chosen[role] = found[0]
        elif role in mapping or role in REQUIRED:
            raise _missing(path, names, role, mapping.get(role))
    return chosen


def _ambiguous(path: Path, role: str, found: list[str]) -> InputError:
    return InputError(
        str(path),
        expected=f"one {role} column",
        given=f"{len(found)} that could be it: {', '.join(found)}",
        do=f"pass --columns with {role}=COLUMN",
        code="COLUMNS_INVALID",
    )


def is_known_as(name: str, role: str) -> bool:
    """Whether a column's name is a usual one for the role, compared without case, '_', '-' and ' '."""
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
    return InputError(str(path), expected=expected, given=f"the columns {listed}", do=do, code="COLUMNS_INVALID")


def shown(value: object) -> str:
    """A value as one short line; nothing for None."""
    text = "" if value is None else str(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 40 else f"{text[:39]}…"
