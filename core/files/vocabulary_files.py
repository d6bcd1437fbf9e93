"""Vocabulary files: one token per line, the id of a token is its line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a JSON list, one entry per line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def write_vocabulary(path: Path, tokens: list[str]) -> None:
    """Write one token per line, UTF-8, '\\n' endings; the id of a token is its line; unknown tokens have id `len(tokens)`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{token}\n" for token in tokens).encode())


def read_vocabulary(path: Path) -> list[str]:
    """Tokens of a vocabulary file in id order."""
    return path.read_bytes().decode().split("\n")[:-1]
