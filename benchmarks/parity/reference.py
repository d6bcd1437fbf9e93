"""The SavedModel's answers to the held-out queries: computed once in TensorFlow, stored with what they were made from."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...core.errors import InputError
from ...core.files.atomic import write_npz
from ...core.files.hashing import sha256_bytes, sha256_file, sha256_tree
from ...core.metrics import thirds, top_k
from ...core.queries.edge_cases import NAMES_OF_0_1
from ...core.queries.held_out import HeldOut
from ...core.queries.packing import part, taken
from ...core.queries.query import Query
from ...core.run_dir import Run
from ...core.scoring import STARS_WEIGHT
from ...train.export.served_queries import ask

log = logging.getLogger(__name__)

_FILE = "reference.npz"


# Answers to the edge cases carry this before their names.
EDGE = "edge."


@dataclass(frozen=True)
class Reference:
    """The SavedModels' answers to some queries, and what comparisons make of them, made once.

    Attributes:
        answers: as `load_reference` returns them, without the prefix of edge cases.
        queries: what was asked, in the same order.
        data: the run's held-out data.
    """

    answers: Mapping[str, np.ndarray]
    queries: Sequence[Query]
    data: HeldOut

    def __getitem__(self, name: str) -> np.ndarray:
        return self.answers[name]

    @property
    def n_items(self) -> int:
        return len(self.data.items)

    @property
    def is_implicit(self) -> bool:
        """Whether the run has no ratings: a ranker's output then orders items and predicts nothing."""
        return self.data.is_implicit

    @cached_property
    def rating_range(self) -> tuple[float, float]:
        """Least and largest rating that occurs."""
        return self.data.run.record.data.rating_range

    @cached_property
    def candidates(self) -> np.ndarray:
        """float32[n_items, d], exact."""
        return np.load(self.data.run.trained / "candidates.npy")

    @cached_property
    def masked(self) -> np.ndarray:
        """Every item's score, float32[n_queries, n_items], minus infinity where it was seen."""
        masked = np.array(self["scores"], np.float32)
        for row, query in enumerate(self.queries):
            masked[row, query.seen[query.seen < masked.shape[1]]] = -np.inf
        return masked

    @cached_property
    def final(self) -> np.ndarray:
        """What a recommender orders by, float32[n_queries, n_items]: score and predicted rating."""
        return self.masked + STARS_WEIGHT * self["catalogue_rating"]

    @cached_property
    def _order(self) -> np.ndarray:
        return top_k(self.masked, self.n_items).astype(np.int32)

    def best(self, k: int) -> np.ndarray:
        """int32[n_queries, k]: the best items by score."""
        return self._order[:, :k]

    def best_ranked(self, k: int) -> np.ndarray:
        """int32[n_queries, k]: the same items in the order of a recommender."""
        retrieved = self.best(k)
        with np.errstate(invalid="ignore"):
            order = np.argsort(-np.take_along_axis(self.final, retrieved, axis=1), axis=1, kind="stable")
        return np.take_along_axis(retrieved, order, axis=1)

    @cached_property
    def truth_mask(self) -> np.ndarray:
        """bool[n_queries, n_items]: what each user rated later."""
        mask = np.zeros((len(self.queries), self.n_items), bool)
        for row, query in enumerate(self.queries):
            mask[row, query.items] = True
        return mask

    @cached_property
    def history_lengths(self) -> np.ndarray:
        """int64[n_queries]."""
        return np.array([len(query.seen) for query in self.queries])

    @cached_property
    def item_thirds(self) -> np.ndarray:
        """int64[n_items]: 0 for the least rated third of the catalogue, 2 for the most rated."""
        return thirds(self.data.popularity)


def references(
    answers: Mapping[str, np.ndarray], data: HeldOut, asked: np.ndarray | None = None
) -> tuple[Reference, Reference]:
    """Stored answers, split into those to held-out users and those to edge cases.

    Args:
        asked: int64[n], which of the held-out queries count; all when None.
    """
    edges = {name.removeprefix(EDGE): array for name, array in answers.items() if name.startswith(EDGE)}
    users, queries = {name: array for name, array in answers.items() if not name.startswith(EDGE)}, data.queries
    if asked is not None and len(asked) < len(queries):
        users, queries = taken(users, asked), [queries[row] for row in asked]
    return Reference(users, queries, data), Reference(edges, list(data.edges.values()), data)


def load_reference(run: Run, data: HeldOut, *, refresh: bool = False) -> dict[str, np.ndarray]:
    """The stored answers, or new ones where none are stored or `refresh` is set.

    Returns:
        `rating` flat float32 with `rating.offsets` (one group per query, in the order of its items), `query`
        float32[n_queries, d] and `scores` float32[n_queries, n_items], every item scored, nothing masked; and where the preset
        offers a recommender `catalogue_rating` float32[n_queries, n_items], the rating predicted for every item. The same for the
        edge cases, under names that begin with `EDGE`.

    Raises:
        InputError: stored answers belong to other SavedModels or queries.
    """
    path, made_from = run.reports / _FILE, reference_sources(run, data)
    if path.is_file() and not refresh:
        with np.load(path) as archive:
            stored = {name: archive[name] for name in archive.files}
        if json.loads(str(stored.pop("made_from"))) not in (made_from, reference_sources(run, data, NAMES_OF_0_1)):
            raise InputError(
                str(path),
                expected="answers of this run's SavedModels",
                given="answers made from other files",
                do="run `pocketrec parity RUN --refresh-reference`",
                code="INPUT_CHANGED",
            )
        return stored
    log.info("computing the SavedModels' answers to every held-out query (once; stored)")
    everything, asked = _ask(run, data, [*data.queries, *data.edges.values()]), len(data.queries)
    edges = part(everything, asked)
    answers = part(everything, 0, asked) | {EDGE + name: array for name, array in edges.items()}
    write_npz(path, **answers, made_from=np.array(json.dumps(made_from)))
    return answers


def reference_sha256(run: Run) -> str:
    """Hex SHA-256 of the stored answers."""
    return sha256_file(run.reports / _FILE)


def reference_sources(run: Run, data: HeldOut, renamed: Mapping[str, str] | None = None) -> dict[str, str]:
    """SHA-256 of each SavedModel and of the queries, whose edge cases count by name."""
    names = [(renamed or {}).get(name, name) for name in data.edges]
    models = {name: sha256_tree(run.saved_model(name)) for name in ("ranking", "query", "candidate")}
    files = sorted((run.trained / "vocabularies").iterdir())
    files += [run.trained / "users.json"] + [run.trained / name for name in ("history.npz", "heldout.npz")]
    queries = "".join(sha256_file(path) for path in files) + ",".join(names) + str(len(data.queries))
    return {**models, "queries": sha256_bytes(queries.encode())}


def _ask(run: Run, data: HeldOut, queries: Sequence[Query]) -> dict[str, np.ndarray]:
    from ...train.export.savedmodels import load_signature

    ranking, query = (load_signature(run.saved_model(name), "serving_default") for name in ("ranking", "query"))
    ratings = [ask(ranking, one, data.catalogue)["rating"].reshape(-1) for one in queries]
    vectors = np.concatenate([ask(query, one, data.catalogue)["query"][:1] for one in queries])
    candidate = load_signature(run.saved_model("candidate"), "serving_default")
    (name,) = candidate.specs
    candidates = candidate(**{name: np.array([item.encode() for item in data.items], object)})["candidate"].numpy()
    extra = {}
    if "recommender" in run.record.graphs:
        everything = np.arange(len(data.items), dtype=np.int32)
        whole = [replace(one, items=everything) for one in queries]
        extra["catalogue_rating"] = np.stack([ask(ranking, one, data.catalogue)["rating"].reshape(-1) for one in whole])
    return {
        **extra,
        "rating": np.concatenate(ratings),
        "rating.offsets": np.cumsum([0, *[len(row) for row in ratings]]),
        "query": vectors,
        "scores": vectors @ candidates.T,
    }
