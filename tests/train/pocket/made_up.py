"""Ratings of users with two tastes, as a file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

Row = tuple[str, str, int, int]


def write_csv(path: Path, rows: Iterable[Sequence[object]], header: str = "user,item,rating,timestamp") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return path


def made_up(n_users: int = 60, n_items: int = 40, each: int = 15, seed: int = 0) -> list[Row]:
    """Even users like even items, odd users odd ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        for when, item in enumerate(rng.permutation(n_items)[:each]):
            rating = 5 - 3 * ((user + item) % 2) - rng.integers(0, 2)
            rows.append((f"u{user}", f"item {item}", int(rating), 1000 + when))
    return rows
