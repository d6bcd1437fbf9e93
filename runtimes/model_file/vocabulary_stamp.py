"""The vocabularies that a model's ids come from, recorded inside its file: a vocabulary that was changed is detected."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ...core.files.hashing import sha256_bytes

# Name of the TFLite metadata entry; its text is `vocabulary_text`'s.
ENTRY = "pocketrec.vocabularies"


# The vocabulary that a port's ids, or positions, refer to.
VOCABULARY_OF = {
    "history": "items",
    "items": "items",
    "seen": "items",
    "ids": "items",
    "user": "users",
    "preferences": "preferences",
    "genres": "genres",
}


def known_by(ports: Iterable[Mapping[str, object]]) -> list[str]:
    """Names of the vocabularies whose ids a model with these ports takes or returns, sorted."""
    return sorted({VOCABULARY_OF[str(port["name"])] for port in ports if port["name"] in VOCABULARY_OF})


def vocabulary_text(files: Mapping[str, bytes], sizes: Mapping[str, int] | None = None) -> str:
    """`<vocabulary> <n> <sha256 of its first n lines, line ends included>`, one line each, sorted by name.

    Args:
        files: bytes of vocabulary files by name, every token ends with a line feed.
        sizes: number of lines that a model knows, where it is not all of them.

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
