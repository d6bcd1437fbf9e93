"""The next catalogue of a trained run: its items, those that updates brought since, and new ones that only content describes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...benchmarks.parity.reference import Reference
from ...core.errors import InputError, suggest
from ...core.queries.held_out import HeldOut
from ...core.queries.query import Catalogue
from ...core.records.item import Item
from ...core.run_dir import Run
from ...train.data.files.columns import is_known_as
from ...train.pocket.content_vectors import ContentTable, read_content
from ..answering.bundle import Bundle

if TYPE_CHECKING:
    from ...train.data.files.feature_file import Features


@dataclass(frozen=True)
class NextCatalogue:
    """Items in id order, and their vectors.

    Attributes:
        vectors: float32[n_items, d], exact.
    """

    items: list[Item]
    vectors: np.ndarray

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.items]

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


def next_catalogue(run: Run, base: Bundle, new_items: Path | None) -> tuple[NextCatalogue, list[str]]:
    """A run's items; after them those of the base that the run lacks, which came by updates; after them those of a file.

    Args:
        new_items: a CSV or Parquet file of ids, titles and genres, as `train --item-features` reads it.

    Returns:
        The catalogue, and notes on the new items, one line each.

    Raises:
        InputError: the run's items and vectors do not fit together or not to the base, or the file cannot be used.
    """
    items, vectors = _own(run, base)
    own, known = [item.id for item in items], base.catalogue.items
    for place, (mine, theirs) in enumerate(zip(own, known, strict=False)):
        if mine != theirs:
            raise InputError(
                "RUN",
                expected="the base's items in their order, so that ids keep their meaning",
                given=f"item {mine!r} at place {place}, where the base has {theirs!r}",
                do="put new items at the end, or ship a full bundle",
                code="CATALOGUE_INVALID",
            )
    more, notes = base.items[len(items) :], []
    if new_items is not None or more:
        content = read_content(run)
        if new_items is not None:
            new, notes = read_new_items(new_items, {*own, *known}, content, base.catalogue.genres)
            notes += _shared_titles(new, [*items, *more])
            more = more + new
        found = content.vectors([item.title for item in more], [item.genres for item in more])
        items, vectors = items + more, np.concatenate([vectors, found])
    return NextCatalogue(items, vectors), notes


def _shared_titles(new: Sequence[Item], earlier: Sequence[Item]) -> list[str]:
    titles = {item.title for item in earlier}
    taken = [item.title for item in new if item.title in titles]
    if not taken:
        return []
    return [
        f"{len(taken):,} new items share the title of an earlier one, such as {taken[0]!r}; the title means that one"
    ]


def _own(run: Run, base: Bundle) -> tuple[list[Item], np.ndarray]:
    """Items and vectors of a run, which may be others than it was trained with.

    Raises:
        InputError: not one finite vector of the base's dimension per item.
    """
    document = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
    items = msgspec.convert(document, list[Item])
    vectors = np.load(run.trained / "candidates.npy")
    stored = base.manifest.candidates
    expected = [len(items), 0 if stored is None else stored.shape[1]]
    is_finite = bool(np.isfinite(vectors).all())
    if list(vectors.shape) != expected or vectors.dtype != np.float32 or not is_finite:
        given = f"{vectors.dtype.name}{list(vectors.shape)}" + ("" if is_finite else " with NaN or infinity")
        raise InputError(
            "candidates.npy",
            expected=f"float32{expected}",
            given=given,
            do="write one vector per item",
            code="CATALOGUE_INVALID",
        )
    return items, vectors


def read_new_items(
    path: Path, known: set[str], content: ContentTable, filters: Sequence[str]
) -> tuple[list[Item], list[str]]:
    """New items of a file, in its order, and notes. Columns that the models learnt nothing from are ignored, as in `train`.

    Args:
        known: ids that are taken.
        filters: genres that lists can be narrowed to.

    Raises:
        InputError: it cannot be read, has no usable row, an id that is taken, or a genre that the models do not know: lists could
            not be narrowed to it, and it would not describe the item.
    """
    from ...train.data.files.feature_file import item_features_of, read_features

    notes: list[str] = []
    table = _learnt(read_features(path, "item", "item", None, notes), content, notes)
    ids = list(table.row_of)
    if not ids:
        raise InputError(
            path.name,
            expected="items with an id",
            given="none",
            do="see what `train --item-features` takes",
            code="CATALOGUE_INVALID",
        )
    if taken := [token for token in ids if token in known]:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        given = f"{taken[0]!r}{more}, which the base or the run has"
        do = "leave them out; titles and genres of a run's items are those of its items.json"
        raise InputError(path.name, expected="ids of new items", given=given, do=do, code="CATALOGUE_INVALID")
    titles, genres = item_features_of(table, ids, notes)
    items = [Item(i, t or i, g) for i, t, g in zip(ids, titles, genres, strict=True)]
    _check_genres(path, items, sorted({*content.genres, *filters}))
    return items, [*notes, *_undescribed(items, content)]


def _learnt(table: "Features", content: ContentTable, notes: list[str]) -> "Features":
    """Without columns whose values became no genre in training; in a few rows any column looks categorical."""
    columns = {}
    for name, values in table.columns.items():
        is_role = any(is_known_as(name, role) for role in ("title", "genres", "year"))
        if is_role or any(genre.startswith(f"{name}=") for genre in content.genres):
            columns[name] = values
        else:
            notes.append(f"{table.name}: the models learnt nothing from column {name}; ignored")
    return replace(table, columns=columns)


def _check_genres(path: Path, items: Sequence[Item], known: Sequence[str]) -> None:
    unknown = [(genre, item.id) for item in items for genre in item.genres if genre not in known]
    if unknown:
        (genre, token), others = unknown[0], len({genre for genre, _ in unknown}) - 1
        more = f" and {others} more" if others else ""
        do = f"{suggest(genre, known)}; leave it out, or train anew to learn it"
        given = f"{genre!r} of item {token!r}{more}"
        raise InputError(path.name, expected="genres that the models know", given=given, do=do, code="GENRE_UNKNOWN")


def _undescribed(items: Sequence[Item], content: ContentTable) -> list[str]:
    found = content.vectors([item.title for item in items], [item.genres for item in items])[:, :-1]
    n = int((~found.any(axis=1)).sum())
    return [f"{n:,} new items have no genre, year or title word that the models know"] if n else []
