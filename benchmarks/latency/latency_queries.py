"""The queries that every case of a run is timed on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.metrics import recall_of_lists
from ...core.queries.held_out import HeldOut
from ...core.queries.model_inputs import feed
from ...core.queries.packing import rows_of
from ...core.queries.query import Catalogue, Query
from ...runtimes.launch import Outcome

_QUERIES = 128
_CANDIDATES = 100


@dataclass(frozen=True)
class LatencyQueries:
    """Up to 128 held-out users spread over the vocabulary.

    Attributes:
        rows: int64[n], their positions among the held-out queries.
        queries: the same users, each with up to 100 candidates: their own items, then the rest of the catalogue in order.
        catalogue: what ids mean.
    """

    rows: np.ndarray
    queries: list[Query]
    catalogue: Catalogue

    @property
    def n_items(self) -> int:
        return len(self.catalogue.items)


def latency_queries(data: HeldOut) -> LatencyQueries:
    """Choose the queries of a run."""
    rows = np.arange(0, len(data.queries), max(1, len(data.queries) // _QUERIES))[:_QUERIES]
    everything, chosen = np.arange(len(data.items), dtype=np.int32), []
    for query in (data.queries[row] for row in rows):
        items = np.concatenate([query.items, np.setdiff1d(everything, query.items)])[:_CANDIDATES]
        chosen.append(replace(query, items=items.astype(np.int32)))
    return LatencyQueries(rows, chosen, data.catalogue)


def recall_of(outcome: Outcome, exact: np.ndarray, items: Sequence[str]) -> float:
    """Share of the exact best items among the returned ids, mean over queries.

    Args:
        outcome: its arrays hold `ids` per query, as positions in the catalogue or as titles.
        exact: int64[n_queries, k].
        items: the catalogue's titles in the order of ids.
    """
    rows = rows_of(outcome.arrays, "ids")
    if rows[0].dtype.kind == "S":
        index = {item.encode(): number for number, item in enumerate(items)}
        rows = [np.array([index.get(title, -1) for title in row.tolist()]) for row in rows]
    return recall_of_lists(rows, exact)


def server_inputs(queries: LatencyQueries) -> dict[str, np.ndarray]:
    """Inputs of a served retrieval SavedModel, one row per query; texts are padded with '' to the longest, ratings with 0.

    Workers leave out what their model does not take.
    """
    catalogue = queries.catalogue
    if not catalogue.window:
        return {"user_id": np.stack([feed("user_id", query, catalogue)[:1] for query in queries.queries])}
    found = {}
    for name, longest, empty in (
        ("watched", catalogue.window, b""),
        ("declared", 0, b""),
        ("stars", catalogue.window, 0.0),
    ):
        rows = [feed(name, query, catalogue, as_served=True)[-longest:] for query in queries.queries]
        width = max(map(len, rows))
        found[name] = np.stack(
            [np.concatenate([np.full(width - len(row), empty, row.dtype), row])[None] for row in rows]
        )
    return found
