"""Candidate vectors as a recipe stores them, and the quality of lists found with them beside the SavedModels'."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...benchmarks.parity.judging.first_difference import both_lists, titles_of
from ...benchmarks.parity.judging.gates import Gate
from ...benchmarks.parity.judging.graph_comparisons import compare_lists, search
from ...benchmarks.parity.judging.judge import Cell, Findings, Outputs, judge
from ...benchmarks.parity.outputs import Answers
from ...benchmarks.parity.reference import Reference
from ...convert.quantize.recipes import RECIPES
from ...core.errors import CheckFailed
from ...core.records.parity import FirstDifference, ParityRow
from ...runtimes.launch import Outcome

# Whose gate a list found among stored rows is judged by: a retriever of the same recipe answers the same query.
JUDGED_AS = "retriever"
GRAPH = "query_encoder+candidates"

_LEVELS = 127


def stored_rows(candidates: np.ndarray, recipe: str) -> tuple[np.ndarray, float | None]:
    """Candidate vectors as they are stored under a recipe.

    Args:
        candidates: float32[n, d].

    Returns:
        float32[n, d] and None for `float32` and `float16`; otherwise int8[n, d] and one scale, set by the largest element: a row is
        about `codes * scale`.
    """
    if RECIPES[recipe].candidates_dtype == "float32":
        return candidates.astype("<f4"), None
    scale = float(np.abs(candidates).max(initial=0)) / _LEVELS or 1.0
    return np.clip(np.rint(candidates / scale), -_LEVELS, _LEVELS).astype(np.int8), scale


@dataclass(frozen=True)
class CandidatesExpected:
    """The SavedModels' lists, for an encoder's `query` vectors that search stored rows.

    Attributes:
        reference: the SavedModels' answers to the held-out queries.
        rows: float32[n_items, d], as a client reads them.
    """

    reference: Reference
    rows: np.ndarray
    values_are_outputs: bool = True

    @property
    def n_queries(self) -> int:
        return len(self.reference.queries)

    def invalid(self, outputs: Outputs) -> str:
        """Why outputs cannot be compared."""
        return "" if np.isfinite(outputs["query"]).all() else "output query holds NaN or infinity"

    def compare(self, outputs: Outputs) -> Findings:
        """Lists by exact search among the rows, and their recall."""
        lists = search(outputs["query"].reshape(self.n_queries, -1), self.rows, self.reference)
        return Findings(compare_lists(lists, self.reference, "recall_at_100"), lists)

    def first_difference(self, answers: Answers, row: int) -> FirstDifference:
        """Both lists of one held-out user."""
        data, user = self.reference.data, self.reference.queries[row].user
        named = data.users[user] if 0 <= user < len(data.users) else None
        return both_lists(answers, row, titles_of(data).__getitem__, user=named)


def judge_rows(
    outcome: Outcome,
    rows: np.ndarray,
    scale: float | None,
    reference: Reference,
    gate: Gate | None,
    *,
    recipe: str,
    runtime: str,
) -> ParityRow:
    """What an encoder's vectors find among stored rows, against the SavedModels' lists.

    Args:
        outcome: the bundled encoder's outputs: `query` float32[n_queries, ..., d].
        rows, scale: as `stored_rows` returns them.
        reference: what it is compared with.
        gate: of a retriever of the same recipe.
        recipe, runtime: of the encoder.
    """
    known = np.asarray(rows, np.float32) * np.float32(1 if scale is None else scale)
    return judge(Cell(GRAPH, recipe, runtime), outcome, CandidatesExpected(reference, known), gate)


def require_passed(rows: Sequence[ParityRow]) -> None:
    """Raises:
    CheckFailed: a row of `judge_rows` missed its gate.
    """
    for row in rows:
        if row.status != "pass":
            raise CheckFailed(f"the split layout may not be bundled: {row.reason} on {row.runtime}", code="GATE_FAILED")
