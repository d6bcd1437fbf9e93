"""The next catalogue of a trained run: its items, those that updates brought since, and new ones that only content describes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmarks.parity.reference import Reference
from ...core.errors import InputError
from ...core.queries.held_out import HeldOut
from ...core.queries.query import Catalogue
from ...core.queries.query_parsing import suggest
from ...core.run_dir import Run
from ...train.data.columns import is_known_as
from ...train.pocket.content_vectors import ContentTable, read_content
from ..answering.bundle_inference import Loaded

if TYPE_CHECKING:
    from ...train.data.feature_file import Features

Item = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class NextCatalogue:
    """Items in id order, and their vectors.

    Attributes:
        items: each with `id`, `title` and `genres`.
        vectors: float32[n_items, d], exact.
    """

    items: list[Item]
    vectors: np.ndarray

    @property
    def ids(self) -> list[str]:
        return [item["id"] for item in self.items]

    def asked(self, users: Reference) -> Reference:
        """The SavedModels' queries of held-out users over these items: every item's exact score, which lists are judged by."""
        query = users["query"]
        return Reference(
            {"query": query, "scores": query @ self.vectors.T}, users.queries, _Grown(users.data.run, self.ids)
        )


@dataclass(frozen=True)
class _Grown(HeldOut):
    """What a run holds out, over a catalogue that has grown."""

    ids: list[str]

    @cached_property
    def catalogue(self) -> Catalogue:
        return replace(HeldOut(self.run).catalogue, items=self.ids)


def next_catalogue(run: Run, base: Loaded, new_items: Path | None, say: Say) -> NextCatalogue:
    """A run's items; after them those of the base that the run does not have, which came by updates; after them a file's.

    Args:
        new_items: a CSV or Parquet file of ids, titles and genres, as `train --item-features` reads it.
        say: called with a line on what was noticed.

    Raises:
        InputError: the run's items and vectors do not fit together or not to the base, or the file cannot be used.
    """
    items, vectors = _own(run, base)
    own, known = [item["id"] for item in items], base.catalogue.items
    for place, (mine, theirs) in enumerate(zip(own, known, strict=False)):
        if mine != theirs:
            raise InputError(
                "RUN",
                expected="the base's items in their order, so that ids keep their meaning",
                given=f"item {mine!r} at place {place}, where the base has {theirs!r}",
                do="put new items at the end, or ship a full bundle",
            )
    more = base.items[len(items) :]
    if new_items is not None or more:
        content = read_content(run)
        if new_items is not None:
            new = read_new_items(new_items, {*own, *known}, content, base.catalogue.genres, say)
            _note_titles(new, [*items, *more], say)
            more = more + new
        found = content.vectors([item["title"] for item in more], [item["genres"] for item in more])
        items, vectors = items + more, np.concatenate([vectors, found])
    return NextCatalogue(items, vectors)


def _note_titles(new: Sequence[Item], earlier: Sequence[Item], say: Say) -> None:
    titles = {item["title"] for item in earlier}
    if taken := [item["title"] for item in new if item["title"] in titles]:
        say(
            f"{len(taken):,} new items have the title of an earlier one, which that title then means, such as {taken[0]!r}"
        )


def _own(run: Run, base: Loaded) -> tuple[list[Item], np.ndarray]:
    """Items and vectors of a run, which may be others than it was trained with.

    Raises:
        InputError: as many vectors as items, of the base's dimension, all finite: one of these does not hold.
    """
    items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
    vectors = np.load(run.trained / "candidates.npy")
    expected = [len(items), base.manifest["candidates"]["shape"][1]]
    if list(vectors.shape) != expected or vectors.dtype != np.float32 or not np.isfinite(vectors).all():
        given = f"{vectors.dtype.name}{list(vectors.shape)}" + (
            "" if np.isfinite(vectors).all() else " with NaN or infinity"
        )
        raise InputError(
            "candidates.npy", expected=f"float32{expected}", given=given, do="write a vector for each item"
        )
    return items, vectors


def read_new_items(
    path: Path, known: set[str], content: ContentTable, filters: Sequence[str], say: Say
) -> list[Item]:  # fmt: skip
    """New items of a file, in its order. Columns that the models learnt nothing from are left out, as `train` leaves them out.

    Args:
        known: ids that are taken.
        filters: genres that lists can be narrowed to.

    Raises:
        InputError: it cannot be read, has no usable row, an id that is taken, or a genre that nothing was learnt of: no list could
            be narrowed to it, and it would say nothing of the item.
    """
    from ...train.data.feature_file import item_features_of, read_features

    notes: list[str] = []
    table = _learnt(read_features(path, "item", "item", None, notes), content, notes)
    ids = list(table.row_of)
    if not ids:
        raise InputError(
            path.name, expected="items with an id", given="none", do="see what `train --item-features` takes"
        )
    if taken := [token for token in ids if token in known]:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        given = f"{taken[0]!r}{more}, which the base or the run has"
        do = "leave them out; titles and genres of a run's items are those of its items.json"
        raise InputError(path.name, expected="ids of new items", given=given, do=do)
    titles, genres = item_features_of(table, ids, notes)
    items = [{"id": i, "title": t or i, "genres": g} for i, t, g in zip(ids, titles, genres, strict=True)]
    _check_genres(path, items, sorted({*content.genres, *filters}))
    for note in [*notes, *_silent(items, content)]:
        say(note)
    return items


def _learnt(table: "Features", content: ContentTable, notes: list[str]) -> "Features":
    """Without columns whose values became no genre in training; in a few rows any column looks categorical."""
    columns = {}
    for name, values in table.columns.items():
        is_role = any(is_known_as(name, role) for role in ("title", "genres", "year"))
        if is_role or any(genre.startswith(f"{name}=") for genre in content.genres):
            columns[name] = values
        else:
            notes.append(f"{table.name}: column {name} says nothing that the models learnt; left out")
    return replace(table, columns=columns)


def _check_genres(path: Path, items: Sequence[Item], known: Sequence[str]) -> None:
    unknown = [(genre, item["id"]) for item in items for genre in item["genres"] if genre not in known]
    if unknown:
        (genre, token), others = unknown[0], len({genre for genre, _ in unknown}) - 1
        more = f" and {others} more" if others else ""
        do = f"{suggest(genre, known)}; leave it out, or train anew to learn it"
        given = f"{genre!r} of item {token!r}{more}"
        raise InputError(path.name, expected="genres that the models know", given=given, do=do)


def _silent(items: Sequence[Item], content: ContentTable) -> list[str]:
    found = content.vectors([item["title"] for item in items], [item["genres"] for item in items])[:, :-1]
    n_silent = int((~found.any(axis=1)).sum())
    return [f"{n_silent:,} new items have no genre, year or title word that the models know"] if n_silent else []
