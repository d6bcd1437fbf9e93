"""The first user who would see something else, with both lists side by side."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.queries.held_out import HeldOut
from ...core.queries.query import Query
from .gates import Gate
from .outputs import SHOWN, Lists, Ratings


def first_difference(
    answers: Lists | Ratings, queries: Sequence[Query], data: HeldOut, gate: Gate | None
) -> dict[str, Any]:
    """The first query that differs, as JSON: `user`, and `reference` and `variant`, each up to ten {title, score}, best first."""
    row = answers.differing(gate.limits.get("max_abs_diff") if gate else None)
    user = queries[row].user
    known = data.users[user] if 0 <= user < len(data.users) else None
    return {"user": known, **both_lists(answers, row, titles_of(data).__getitem__)}


def both_lists(answers: Lists | Ratings, row: int, title_of: Callable[[int], str]) -> dict[str, Any]:
    """`reference` and `variant` of one query, as JSON."""
    best, expected, ids, scores = answers.sides(row)
    return {"reference": _listed(best, expected, title_of), "variant": _listed(ids, scores, title_of)}


def titles_of(data: HeldOut) -> list[str]:
    """What people call each item, in the order of ids."""
    path = data.run.trained / "items.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [row["title"] for row in rows] if len(rows) == len(data.items) else data.items


def _listed(ids: np.ndarray, scores: np.ndarray, title_of: Callable[[int], str]) -> list[dict[str, Any]]:
    return [
        {"title": title_of(item), "score": round(float(score), 4) if np.isfinite(score) else None}
        for item, score in zip(ids[:SHOWN].tolist(), scores[:SHOWN].tolist(), strict=True)
    ]


def side_by_side(found: Mapping[str, Any]) -> list[str]:
    """Lines for people: rank, score and title by the SavedModel, then by the variant; `*` where they differ."""
    reference, variant = ([_line(row) for row in found[side]] for side in ("reference", "variant"))
    width = max((len(text) for text in reference), default=0)
    lines = [
        f"first to differ: {'user ' + found['user'] if found['user'] is not None else found.get('query', 'a query')}"
    ]
    lines.append(f"    {'SavedModel':<{width}}   variant")
    for rank, (left, right) in enumerate(zip(reference, variant, strict=True), start=1):
        is_same = found["reference"][rank - 1]["title"] == found["variant"][rank - 1]["title"]
        lines.append(f"{rank:>2} {' ' if is_same else '*'}{left:<{width}}   {right}".rstrip())
    return lines


def _line(row: Mapping[str, Any]) -> str:
    score = "   –   " if row["score"] is None else f"{row['score']:7.3f}"
    title = row["title"] if len(row["title"]) <= _WIDEST else row["title"][: _WIDEST - 1] + "…"
    return f"{score} {title}"


_WIDEST = 36
