"""A variant's raw outputs against the reference: metrics by graph."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ....core.metrics import hits_among, top_k
from ....core.queries.packing import part, rows_of
from ....core.records.agreement import Agreement
from ....core.records.parity import FirstDifference
from ..agreement import max_abs_diff, mean_abs_diff, norm_drift
from ..outputs import Answers, ScoredItems, TopKLists
from ..reference import Reference
from .first_difference import both_lists, titles_of
from .judge import EdgeAnswers, Findings, Outputs
from .quality_loss import LIST_QUALITY, QUALITY_K, list_quality, rating_quality


def _rated(outputs: Outputs, reference: Reference) -> ScoredItems:
    items = np.concatenate([query.items for query in reference.queries])
    return ScoredItems(reference["rating"], outputs["rating"].reshape(-1), reference["rating.offsets"], items)


def _retrieved(outputs: Outputs, reference: Reference) -> TopKLists:
    ids = outputs["ids"]
    return TopKLists(ids, outputs["scores"], reference.best(ids.shape[1]), reference.masked)


def _searched(outputs: Outputs, reference: Reference) -> TopKLists:
    """What a query encoder's vectors find among the exact candidates."""
    return search(outputs["query"].reshape(reference["query"].shape), reference.candidates, reference)


def search(queries: np.ndarray, candidates: np.ndarray, reference: Reference) -> TopKLists:
    """The lists that query vectors float32[n_queries, d] find among candidates float32[n_items, d] by exact search."""
    scores = np.where(np.isfinite(reference.masked), queries @ candidates.T, -np.inf).astype(np.float32)
    ids = top_k(scores, QUALITY_K)
    return TopKLists(ids, np.take_along_axis(scores, ids, axis=1), reference.best(ids.shape[1]), reference.masked)


def _recommended(outputs: Outputs, reference: Reference) -> TopKLists:
    """The cascade against retrieving and then ranking with the SavedModels."""
    ids = outputs["ids"]
    return TopKLists(ids, outputs["scores"], reference.best_ranked(ids.shape[1]), reference.final)


def compare_ratings(outputs: Outputs, reference: Reference) -> Agreement:
    """Metrics of a ranker: `rating` flat over all queries on both sides. Quality is RMSE in ratings; of implicit data, where a
    ranker's output is no rating, there is none."""
    answers = _rated(outputs, reference)
    if reference.is_implicit:
        return answers.agreement()
    return replace(answers.agreement(), **vars(rating_quality(answers.expected, answers.got, reference)))


def compare_lists(lists: TopKLists, reference: Reference, metric: str) -> Agreement:
    """Metrics of lists, and their quality by a key of `LIST_QUALITY`."""
    return replace(lists.agreement(), **vars(list_quality(metric, lists.ids, lists.best, reference)))


def compare_retrieval(outputs: Outputs, reference: Reference) -> Agreement:
    """Metrics of a retriever: `ids` int32[n_queries, k] and `scores` float32[n_queries, k] against every item's score.

    `seen_returned` counts masked items that came back with a finite score; any at all is a failure.
    """
    lists = _retrieved(outputs, reference)
    hits = hits_among(lists.ids, reference.truth_mask)
    ndcg = LIST_QUALITY["ndcg_at_10"](hits, reference.truth_mask.sum(axis=1))
    return replace(compare_lists(lists, reference, "recall_at_100"), ndcg_at_10=float(ndcg.mean()))


def compare_queries(outputs: Outputs, reference: Reference) -> Agreement:
    """Metrics of a query encoder: differences of `query` float32[n_queries, 1, d] itself; lists and quality by scoring the exact
    candidates with it."""
    expected, lists = reference["query"], _searched(outputs, reference)
    got = outputs["query"].reshape(expected.shape)
    return replace(
        compare_lists(lists, reference, "recall_at_100"),
        max_abs_diff=max_abs_diff(expected, got),
        mean_abs_diff=mean_abs_diff(expected, got),
        norm_drift=norm_drift(expected, got),
    )


def compare_recommendations(outputs: Outputs, reference: Reference) -> Agreement:
    """Metrics of the cascade: `ids`, `scores` (what they are ordered by) and `rating`, each [n_queries, k]. Quality is NDCG@10 of
    the final order."""
    lists = _recommended(outputs, reference)
    rating = np.take_along_axis(reference["catalogue_rating"], lists.ids, axis=1)
    found = compare_lists(lists, reference, "ndcg_at_10")
    return replace(found, rating_max_abs_diff=max_abs_diff(rating, outputs["rating"]))


@dataclass(frozen=True)
class Comparison:
    """How a graph's outputs are compared.

    Attributes:
        outputs: those it must have.
        compare: outputs and reference to metrics.
        answers: outputs and reference to both sides' answers.
        values_are_outputs: whether the values of the answers are outputs, and not made from them.
    """

    outputs: frozenset[str]
    compare: Callable[[Outputs, Reference], Agreement]
    answers: Callable[[Outputs, Reference], Answers]
    values_are_outputs: bool = True


_RANKER = Comparison(frozenset({"rating"}), compare_ratings, _rated)
COMPARISONS = {
    "ranker_strings": _RANKER,
    "ranker": _RANKER,
    "query_encoder": Comparison(frozenset({"query"}), compare_queries, _searched, values_are_outputs=False),
    "retriever": Comparison(frozenset({"ids", "scores"}), compare_retrieval, _retrieved),
    "recommender": Comparison(frozenset({"ids", "scores", "rating"}), compare_recommendations, _recommended),
}


@dataclass(frozen=True)
class GraphExpected:
    """What a variant of a run's graph should answer: outputs of the held-out queries, and after them of the edge cases.

    Attributes:
        graph: a key of `COMPARISONS`.
        users: the SavedModels' answers to the held-out queries.
        edges: those to the edge cases; None where they are not judged.
    """

    graph: str
    users: Reference
    edges: Reference | None = None

    @property
    def n_queries(self) -> int:
        return len(self.users.queries)

    @property
    def values_are_outputs(self) -> bool:
        return COMPARISONS[self.graph].values_are_outputs

    @cached_property
    def _titles(self) -> list[str]:
        return titles_of(self.users.data)

    def invalid(self, outputs: Outputs) -> str:
        """Why outputs cannot be compared."""
        reason = invalid_outputs(self.graph, part(outputs, 0, self.n_queries), self.users)
        if self.edges is None:
            return reason
        return reason or invalid_outputs(self.graph, part(outputs, self.n_queries), self.edges)

    def compare(self, outputs: Outputs) -> Findings:
        """Metrics over held-out users, and both sides' answers to them and to the edge cases."""
        how, users = COMPARISONS[self.graph], part(outputs, 0, self.n_queries)
        edges = None
        if self.edges is not None:
            answers = how.answers(part(outputs, self.n_queries), self.edges)
            edges = EdgeAnswers(list(self.users.data.edges), answers)
        return Findings(how.compare(users, self.users), how.answers(users, self.users), edges)

    def first_difference(self, answers: Answers, row: int) -> FirstDifference:
        """Both lists of one held-out user, with titles."""
        user, users = self.users.queries[row].user, self.users.data.users
        return both_lists(answers, row, self._titles.__getitem__, user=users[user] if 0 <= user < len(users) else None)


def invalid_outputs(graph: str, outputs: Outputs, reference: Reference) -> str:
    """Why outputs cannot be compared at all; '' when they can. Checked before any metric is computed."""
    wanted = COMPARISONS[graph].outputs
    missing = wanted - set(outputs)
    if missing:
        return f"outputs are missing: {', '.join(sorted(missing))}"
    for name, values in outputs.items():
        if values.dtype.kind == "f" and np.isnan(values).any():
            return f"output {name} holds NaN ({int(np.isnan(values).sum())} of {values.size})"
    if "ids" in wanted and (outputs["ids"].min() < 0 or outputs["ids"].max() >= reference.n_items):
        return f"output ids holds ids outside 0..{reference.n_items - 1}"
    counted = [len(row) for row in rows_of(outputs, next(iter(sorted(wanted))))]
    if wanted == {"rating"} and sum(counted) != len(reference["rating"]):
        return f"output rating holds {sum(counted)} values for {len(reference['rating'])} pairs"
    return ""
