"""Answering from a bundle as an app does, in any layout."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import numpy as np

from ...core.errors import CheckFailed
from ...core.files.directory_swap import identity
from ...core.files.vocabulary_files import read_vocabulary
from ...core.queries.held_out import VOCABULARIES
from ...core.queries.history_parsing import History
from ...core.queries.model_inputs import feed
from ...core.queries.packing import packed, rows_of
from ...core.queries.query import Catalogue, Query
from ...core.queries.query_parsing import QueryParser
from ...core.queries.reasons import Explained, Reasons
from ...core.queries.recommendation import Answer, Request, make_answer
from ...core.records.item import Item
from ...runtimes.launch import run_variant
from ...runtimes.runtimes import any_phone_runtime
from ..format.answers import Arrays, TopK
from ..format.candidates import StoredRows, read_rows
from ..format.contract import read_items
from ..format.item_scores import SCORES, score_items
from ..format.layouts import LAYOUTS, Layout
from ..format.manifest import Manifest

_TIMEOUT_S = 60


class Bundle:
    """A bundle that answers queries; `open_bundle` opens one and checks it, nothing is checked here.

    Use it as a context manager, or `close` it, where it was opened from a zip: that removes the unpacked files.

    Args:
        folder: where the files are.
        manifest: its manifest, or all of it that is needed to answer.
        path: what was opened, a folder or zip; `folder` when None.
        unpacked: holds `folder` where it was unpacked from a zip.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        path: Path | None = None,
        unpacked: "TemporaryDirectory[str] | None" = None,
    ) -> None:
        self.folder, self.manifest, self.path = folder, manifest, path or folder
        self._unpacked, self._identity = unpacked, identity(folder)

    def __repr__(self) -> str:
        return f"Bundle({os.fspath(self.path)!r}, {self.manifest.name} version {self.manifest.version})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was unpacked from a zip."""
        if self._unpacked is not None:
            self._unpacked.cleanup()

    def recommend(
        self,
        history: History = (),
        *,
        user: str | None = None,
        prefer: Sequence[str] = (),
        genres: Sequence[str] = (),
        top: int = 10,
        skip_unknown: bool = False,
        dislike: Sequence[str] = (),
        why: bool = False,
    ) -> Answer:
        """Recommend items for a history and preferences, or for a known user; items of the history are left out.

        Args:
            history: items by title or id, oldest first: `{"Speed (1994)": 5}`, or a list of `TITLE` and `TITLE=RATING`.
            user: an id from the user vocabulary, for models keyed by user.
            prefer: declared preferences, such as a genre.
            genres: genres the answer is narrowed to; all when empty.
            top: how many items; at most what the bundle returns.
            skip_unknown: leave unknown items out, with a note, instead of refusing them.
            dislike: items by title or id that are disliked: neither they nor, where the models take ratings, what is alike.
            why: say for each item what made up its score.

        Raises:
            InputError: a query that cannot be parsed, or `top` out of range.
            CheckFailed: a model does not run, or the folder was replaced since the bundle was opened.
        """
        return self.answer(Request(user, history, prefer, genres, top, skip_unknown, dislike, why))

    def answer(self, request: Request) -> Answer:
        """Answer a request; see `recommend`."""
        nothing = np.empty(0, np.int32)
        with self._unchanged():
            request.check_top(self.most, "what the bundle returns")
            parsed = request.parse(self._parser, lambda user: Query(user, nothing, nothing, nothing, nothing))
            (found,), _ = self.answers([parsed.query], request.top)
            reasons = self.reasons(parsed.query, found) if request.why else None
            return make_answer(self.items, found.ids, found.scores, found.ratings, parsed.notes, reasons)

    def reasons(self, query: Query, found: TopK) -> Reasons:
        """What made up the scores of an answer to a query; see core/queries/reasons.py.

        Raises:
            CheckFailed: a model does not run.
        """
        models, weights = _Session(self, {}), self.manifest.history_weights
        (graph,) = [name for name in self.layout.graphs if name in SCORES]
        retrieved = found.scores.astype(np.float64)
        if found.ratings is not None:
            retrieved -= models.stars_weight * found.ratings
        known = min(self.manifest.model(graph).rows.get("items", 1) - 1, len(self.catalogue.items))
        asked = Explained(query, self.catalogue.window, known, retrieved, found.scores.astype(np.float64))
        return asked.reasons(lambda queries: score_items(models, graph, queries, found.ids), weights)

    @contextlib.contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Refuse whatever the block found, an error too, where the folder was replaced since the bundle was opened."""
        replaced = CheckFailed(f"{self.path}: replaced since it was opened; open it again", code="INPUT_CHANGED")
        try:
            yield
        except Exception as error:
            if identity(self.folder) != self._identity:
                raise replaced from error
            raise
        if identity(self.folder) != self._identity:
            raise replaced

    @property
    def layout(self) -> Layout:
        """How its models answer."""
        return LAYOUTS[self.manifest.layout]

    @property
    def most(self) -> int:
        """Length of the longest list it returns."""
        return min(self.manifest.k, len(self.catalogue.items))

    @cached_property
    def items(self) -> list[Item]:
        """Every item, in id order."""
        return read_items(self.folder / self.manifest.items)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Its vocabularies, and the length of a history."""
        tokens = {row.name: read_vocabulary(self.folder / row.file) for row in self.manifest.vocabularies}
        lists = {name: tokens.get(name, []) for name in VOCABULARIES}
        return Catalogue(**lists, window=self.manifest.window or 0)

    @cached_property
    def _parser(self) -> QueryParser:
        return QueryParser(
            self.catalogue,
            [item.title for item in self.items],
            self.manifest.rating_range,
            reads_dislikes=self.manifest.history_weights is not None,
        )

    def inputs(self, graph: str, query: Query) -> Arrays:
        """A model's inputs for a query. Items that came after the model count as unknown."""
        model, names = self.manifest.model(graph), self.catalogue
        known = model.rows.get("items", len(names.items) + 1) - 1
        if known < len(names.items):
            names = replace(names, items=names.items[:known])
            query = replace(query, seen=np.minimum(query.seen, known), items=np.minimum(query.items, known))
        return {port.name: feed(port.name, query, names) for port in model.inputs}

    def run(self, graph: str, inputs: Sequence[Arrays]) -> list[Arrays]:
        """A model's outputs for each of several inputs, in one process.

        Raises:
            CheckFailed: it does not run, or not with these inputs.
        """
        if not inputs:
            return []
        model, runtime = self.manifest.model(graph), any_phone_runtime()
        feeds = packed({port.name: [one[port.name] for one in inputs] for port in model.inputs})
        outcome = run_variant(self.folder / model.file, feeds, runtime=runtime, timeout_s=_TIMEOUT_S)
        if not outcome:
            raise CheckFailed(f"{model.file} does not run on {runtime}: {outcome.reason}", code="RUNTIME_FAILED")
        outputs = {port.name: rows_of(outcome.arrays, port.name) for port in model.outputs}
        for ids in outputs.get("ids", ()):
            if ids.size and not (ids.min() >= 0 and ids.max() < len(self.catalogue.items)):
                raise CheckFailed(f"{model.file} answers with ids that are no items", code="MODEL_MISMATCH")
        return [{name: rows[place] for name, rows in outputs.items()} for place in range(len(inputs))]

    def answers(
        self, queries: Sequence[Query], top: int, also: Mapping[str, Sequence[Arrays]] | None = None
    ) -> tuple[list[TopK], dict[str, list[Arrays]]]:
        """Answers of at most `top` items to queries; and the outputs for further inputs of some graphs, run in the same processes.

        Raises:
            CheckFailed: a model does not run.
        """
        session = _Session(self, also or {})
        found = self.layout.answer(session, queries)
        return [one.first(top) for one in found], session.further


class _Session:
    """The bundle's models as an answer function sees them, with further inputs for each."""

    def __init__(self, bundle: Bundle, also: Mapping[str, Sequence[Arrays]]) -> None:
        self._bundle, self._also = bundle, also
        self.further: dict[str, list[Arrays]] = {}
        self.k, self.stars_weight = bundle.manifest.k, bundle.manifest.stars_weight or 0.0
        self.inputs = bundle.inputs

    def run(self, graph: str, inputs: Sequence[Arrays]) -> list[Arrays]:
        outputs = self._bundle.run(graph, [*inputs, *self._also.get(graph, ())])
        self.further[graph] = outputs[len(inputs) :]
        return outputs[: len(inputs)]

    def candidates(self) -> tuple[StoredRows, float | None]:
        declared = self._bundle.manifest.candidates
        if declared is None:
            raise CheckFailed("this bundle stores no candidates", code="QUERY_UNSUPPORTED")
        return read_rows(self._bundle.folder / declared.file, declared), declared.scale

    def allowed(self, query: Query) -> np.ndarray:
        items = self._bundle.items
        allowed = np.ones(len(items), bool)
        if wanted := set(query.genres):
            allowed = np.array([not wanted.isdisjoint(item.genres) for item in items])
        allowed[query.seen[query.seen < len(items)]] = False
        allowed[query.excluded] = False
        return allowed
