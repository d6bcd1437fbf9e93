"""Which vocabularies a model's ids come from, said inside its file: the file then fits no other vocabulary by accident."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...core.hashing import sha256_bytes

# Name of the TFLite metadata entry; its text is `vocabulary_text`'s.
ENTRY = "pocketrec.vocabularies"


# Which vocabulary gives the ids, or the places, of a port.
VOCABULARY_OF = {
    "history": "items",
    "items": "items",
    "seen": "items",
    "ids": "items",
    "user": "users",
    "preferences": "preferences",
    "genres": "genres",
}


def known_by(ports: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the vocabularies whose ids a model with these ports takes or gives, sorted."""
    return sorted({VOCABULARY_OF[port["name"]] for port in ports if port["name"] in VOCABULARY_OF})


def vocabulary_text(files: Mapping[str, bytes], sizes: Mapping[str, int] | None = None) -> str:
    """`<vocabulary> <n> <sha256 of its first n lines, line ends included>`, a line each, sorted by name.

    Args:
        files: bytes of vocabulary files by name, every token ended by a line feed.
        sizes: lines that count, for a model that knows fewer than there are; all of them by default.

    Raises:
        ValueError: a file has fewer lines than its size says.
    """
    lines = []
    for name in sorted(files):
        tokens = files[name].split(b"\n")[:-1]
        n = len(tokens) if sizes is None else sizes[name]
        if n > len(tokens):
            raise ValueError(f"{name} has {len(tokens)} tokens, expected at least {n}")
        known = b"".join(token + b"\n" for token in tokens[:n])
        lines.append(f"{name} {n} {sha256_bytes(known)}\n")
    return "".join(lines)


def read_files(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Bytes of the vocabularies `<name>.txt` in a folder."""
    return {name: (folder / f"{name}.txt").read_bytes() for name in names}
