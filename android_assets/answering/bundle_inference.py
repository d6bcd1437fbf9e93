"""Answering from a bundle as an app does, in any layout; many questions at once, so that each model is run once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import CheckFailed
from ...core.queries.held_out import VOCABULARIES
from ...core.queries.model_inputs import feed
from ...core.queries.packing import packed, rows_of
from ...core.queries.query import Catalogue, Query
from ...core.scoring import MASKED_BELOW
from ...core.vocabulary_files import read_vocabulary
from ...runtimes.launch import run_variant
from ...runtimes.runtimes import any_phone_runtime
from ..format.candidates import read_rows, search
from ..format.contract import read_items

# Arrays by name, of one question.
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Found:
    """An answer: ids int32[m] and scores float32[m], best first, and the stars predicted, float32[m], where there is a ranker."""

    ids: np.ndarray
    scores: np.ndarray
    stars: np.ndarray | None


class Loaded:
    """A bundle's files, as its manifest describes them. Nothing is checked here (verify.py).

    Args:
        folder: where the files lie.
        manifest: its manifest, or all of it that is needed to answer.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder, self.manifest = folder, manifest
        self.models = {model["graph"]: model for model in manifest["models"]}

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """Every item's id, title and genres, in id order."""
        return read_items(self.folder / self.manifest["items"])

    @cached_property
    def catalogue(self) -> Catalogue:
        tokens = {row["name"]: read_vocabulary(self.folder / row["file"]) for row in self.manifest["vocabularies"]}
        lists = {name: tokens.get(name, []) for name in VOCABULARIES}
        return Catalogue(**lists, window=self.manifest["window"] or 0)

    def inputs(self, graph: str, query: Query) -> Arrays:
        """A model's inputs for a query. Items that came after the model count as unknown."""
        model, names = self.models[graph], self.catalogue
        known = model["rows"].get("items", len(names.items) + 1) - 1
        if known < len(names.items):
            names = replace(names, items=names.items[:known])
            query = replace(query, seen=np.minimum(query.seen, known))
        return {port["name"]: feed(port["name"], query, names) for port in model["inputs"]}

    def run(self, graph: str, questions: Sequence[Arrays]) -> list[Arrays]:
        """A model's outputs for each of some inputs, in one process.

        Raises:
            CheckFailed: it does not run, or not with these inputs.
        """
        if not questions:
            return []
        model = self.models[graph]
        names = [port["name"] for port in model["inputs"]]
        feeds = packed({name: [question[name] for question in questions] for name in names})
        outcome = run_variant(self.folder / model["file"], feeds, runtime=any_phone_runtime(), timeout_s=60)
        if not outcome:
            raise CheckFailed(f"{model['file']} does not run on {any_phone_runtime()}: {outcome.reason}")
        outputs = {port["name"]: rows_of(outcome.arrays, port["name"]) for port in model["outputs"]}
        for ids in outputs.get("ids", ()):
            if ids.size and not (ids.min() >= 0 and ids.max() < len(self.catalogue.items)):
                raise CheckFailed(f"{model['file']} answers with ids that are no items")
        return [{name: rows[place] for name, rows in outputs.items()} for place in range(len(questions))]

    def answers(
        self, queries: Sequence[Query], top: int, also: Mapping[str, Sequence[Arrays]] | None = None
    ) -> tuple[list[Found], dict[str, list[Arrays]]]:
        """Answers of at most `top` items to queries; and the outputs for other inputs that a graph is given on the way.

        Raises:
            CheckFailed: a model does not run.
        """
        also = also or {}
        extra: dict[str, list[Arrays]] = {}

        def ask(graph: str, questions: Sequence[Arrays]) -> list[Arrays]:
            outputs = self.run(graph, [*questions, *also.get(graph, ())])
            extra[graph] = outputs[len(questions) :]
            return outputs[: len(questions)]

        layout = self.manifest["layout"]
        found = _ANSWERS[layout](self, queries, ask)
        return [_first(one, top) for one in found], extra

    @property
    def most(self) -> int:
        """The longest list there is."""
        return min(self.manifest["k"], len(self.catalogue.items))


def _first(found: Found, top: int) -> Found:
    return Found(found.ids[:top], found.scores[:top], None if found.stars is None else found.stars[:top])


def _cascade(loaded: Loaded, queries: Sequence[Query], ask: Any) -> list[Found]:
    outputs = ask("recommender", [loaded.inputs("recommender", query) for query in queries])
    kept = [one["scores"] > MASKED_BELOW for one in outputs]
    return [
        Found(one["ids"][mask], one["scores"][mask], one["rating"][mask])
        for one, mask in zip(outputs, kept, strict=True)
    ]


def _pair(loaded: Loaded, queries: Sequence[Query], ask: Any) -> list[Found]:
    outputs = ask("retriever", [loaded.inputs("retriever", query) for query in queries])
    kept = [one["scores"] > MASKED_BELOW for one in outputs]
    ids = [one["ids"][mask] for one, mask in zip(outputs, kept, strict=True)]
    asked = [loaded.inputs("ranker", replace(query, items=some)) for query, some in zip(queries, ids, strict=True)]
    answered = iter(ask("ranker", [one for one, some in zip(asked, ids, strict=True) if len(some)]))
    stars = [next(answered)["rating"] if len(some) else np.empty(0, np.float32) for some in ids]
    weight = loaded.manifest["stars_weight"] or 0.0
    found = []
    for one, mask, some, values in zip(outputs, kept, ids, stars, strict=True):
        final = one["scores"][mask] + np.float32(weight) * values
        order = np.argsort(-final, kind="stable")
        found.append(Found(some[order], final[order], values[order]))
    return found


def _split(loaded: Loaded, queries: Sequence[Query], ask: Any) -> list[Found]:
    declared = loaded.manifest["candidates"]
    rows = read_rows(loaded.folder / declared["file"], declared)
    outputs = ask("query_encoder", [loaded.inputs("query_encoder", query) for query in queries])
    found = []
    for query, output in zip(queries, outputs, strict=True):
        allowed = np.ones(len(rows), bool)
        if query.genres:
            wanted = set(query.genres)
            allowed = np.array([not wanted.isdisjoint(item["genres"]) for item in loaded.items])
        allowed[query.seen[query.seen < len(rows)]] = False
        ids, scores = search(output["query"].reshape(-1), rows, declared["scale"], allowed, loaded.manifest["k"])
        found.append(Found(ids, scores, None))
    return found


_ANSWERS = {"cascade": _cascade, "pair": _pair, "split": _split}
