"""The first user who would see something else, with both lists side by side."""

import json
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ....core.queries.held_out import HeldOut
from ....core.records.parity import FirstDifference, ListedItem
from ..outputs import SHOWN, Answers

_WIDEST = 36
TitleOf: TypeAlias = Callable[[int], str]


def both_lists(
    answers: Answers, row: int, title_of: TitleOf, *, user: str | None = None, query: str | None = None
) -> FirstDifference:
    """Both lists of one query.

    Args:
        title_of: what an item is called, by its id.
        user, query: whose lists they are.
    """
    sides = answers.sides(row)
    return FirstDifference(
        _listed(sides.best, sides.expected, title_of), _listed(sides.ids, sides.scores, title_of), user, query
    )


def titles_of(data: HeldOut) -> list[str]:
    """What each item is called, in the order of ids."""
    path = data.run.trained / "items.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [row["title"] for row in rows] if len(rows) == len(data.items) else data.items


def _listed(ids: np.ndarray, scores: np.ndarray, title_of: TitleOf) -> list[ListedItem]:
    return [
        ListedItem(title_of(item), round(float(score), 4) if np.isfinite(score) else None)
        for item, score in zip(ids[:SHOWN].tolist(), scores[:SHOWN].tolist(), strict=True)
    ]


def side_by_side(found: FirstDifference) -> list[str]:
    """Lines for a terminal: rank, score and title by the SavedModel, then by the variant; `*` where they differ."""
    left = [_line(item) for item in found.reference]
    width = max((len(text) for text in left), default=0)
    lines = [f"first to differ: {found.subject}", f"    {'SavedModel':<{width}}   variant"]
    for rank, (text, expected, got) in enumerate(zip(left, found.reference, found.variant, strict=True), start=1):
        mark = " " if expected.title == got.title else "*"
        lines.append(f"{rank:>2} {mark}{text:<{width}}   {_line(got)}".rstrip())
    return lines


def _line(item: ListedItem) -> str:
    score = "   –   " if item.score is None else f"{item.score:7.3f}"
    title = item.title if len(item.title) <= _WIDEST else item.title[: _WIDEST - 1] + "…"
    return f"{score} {title}"
