"""What a SavedModel of any origin answers, and how a .tflite file's outputs are compared with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ...core.errors import InputError
from ...core.queries.packing import rows_of
from ...core.records.agreement import Agreement
from ...core.records.parity import FirstDifference
from .agreement import kendall_tau, max_abs_diff, mean_abs_diff, mean_defined
from .judging.first_difference import both_lists
from .judging.judge import Findings, Outputs
from .outputs import Answers, returned_lists, scored_items

if TYPE_CHECKING:
    from ...train.export.savedmodels import LoadedSignature

# Names of outputs that rank, where --scores names none.
_SCORES = ("scores", "score")
# Arrays by name, one per query.
Rows: TypeAlias = Mapping[str, Sequence[np.ndarray]]


@dataclass(frozen=True)
class Ranking:
    """The output that ranks, and the output that holds the ids of what is ranked."""

    scores: str
    ids: str | None

    @staticmethod
    def of(reference: Rows, named: str | None) -> "Ranking | None":
        """Find them among the SavedModel's outputs.

        Raises:
            InputError: the named output does not exist or cannot rank.
        """
        floats = [name for name, rows in reference.items() if rows[0].dtype.kind == "f" and rows[0].size > 1]
        if named is not None and named not in floats:
            expected = f"an output of several floats: {', '.join(floats) or 'none has them'}"
            raise InputError(
                "--scores", expected=expected, given=named, do="choose one, or leave it out", code="NAME_UNKNOWN"
            )
        scores = named or next((name for name in _SCORES if name in floats), None)
        if scores is None:
            return None
        shape = reference[scores][0].shape
        integers = [name for name, rows in reference.items() if rows[0].dtype.kind in "iu" and rows[0].shape == shape]
        return Ranking(scores, "ids" if "ids" in integers else integers[0] if len(integers) == 1 else None)

    def answers(self, reference: Rows, got: Rows) -> Answers:
        """Lists where there are ids, scores of the same positions otherwise."""
        expected, scores = ([row.reshape(-1) for row in side[self.scores]] for side in (reference, got))
        if self.ids is None:
            positions = [np.arange(len(row)) for row in expected]
            return scored_items(np.concatenate(expected), np.concatenate(scores), positions)
        best, ids = ([row.reshape(-1).astype(np.int64) for row in side[self.ids]] for side in (reference, got))
        return returned_lists(best, expected, ids, scores)


@dataclass(frozen=True)
class PairExpected:
    """A SavedModel's outputs, by name one array per query, and which of them rank."""

    reference: Rows
    ranking: Ranking | None
    values_are_outputs: bool = True

    @staticmethod
    def of(reference: Rows, scores: str | None) -> "PairExpected":
        """As `check_foreign` takes `scores`."""
        return PairExpected(reference, Ranking.of(reference, scores))

    @property
    def n_queries(self) -> int:
        return len(next(iter(self.reference.values())))

    def taken(self, queries: Sequence[int] | np.ndarray) -> "PairExpected":
        """The answers to some of the queries."""
        reference = {name: [rows[query] for query in queries] for name, rows in self.reference.items()}
        return PairExpected(reference, self.ranking)

    def invalid(self, outputs: Outputs) -> str:
        """Why outputs cannot be compared."""
        if unmatched := set(self.reference) ^ {name for name in outputs if not name.endswith(".offsets")}:
            return f"outputs differ: {sorted(unmatched)} are on one side only"
        for name, rows in self.reference.items():
            n_values = sum(row.size for row in rows)
            if rows[0].dtype.kind in "fiub" and outputs[name].size != n_values:
                return f"output {name}: {n_values} values expected, {outputs[name].size} given"
            if outputs[name].dtype.kind == "f" and not np.isfinite(outputs[name]).all():
                return f"output {name} holds NaN or infinity"
        return ""

    def compare(self, outputs: Outputs) -> Findings:
        """Value by value; what is listed in another order differs everywhere by value, so lists are compared as lists."""
        rows = {name: rows_of(outputs, name) for name in self.reference}
        listed = {self.ranking.scores, self.ranking.ids} if self.ranking and self.ranking.ids else set()
        pairs = [
            (_flat(expected), _flat(rows[name]))
            for name, expected in self.reference.items()
            if expected[0].dtype.kind in "fiub" and name not in listed
        ]
        answers = self.ranking.answers(self.reference, rows) if self.ranking else None
        return Findings(_with_values(answers.agreement() if answers else None, pairs), answers)

    def first_difference(self, answers: Answers, row: int) -> FirstDifference:
        """Both lists of one query of the .npz."""
        return both_lists(answers, row, str, query=f"row {row} of the inputs")


def _with_values(ranked: Agreement | None, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Agreement:
    """The metrics of what ranks, and the largest differences of all other outputs."""
    known = ranked or Agreement(kendall_tau=mean_defined([kendall_tau(expected, got) for expected, got in pairs]))
    spans = [float(np.ptp(expected)) or 1.0 for expected, _ in pairs]
    return replace(
        known,
        max_abs_diff=max([known.max_abs_diff or 0.0, *(max_abs_diff(e, g) for e, g in pairs)]),
        mean_abs_diff=max([known.mean_abs_diff or 0.0, *(mean_abs_diff(e, g) for e, g in pairs)]),
        max_diff_of_range=max(
            [
                known.max_diff_of_range or 0.0,
                *(max_abs_diff(e, g) / span for (e, g), span in zip(pairs, spans, strict=True)),
            ]
        ),
    )


def _flat(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([row.reshape(-1) for row in rows])


def saved_model_outputs(signature: "LoadedSignature", feeds: Outputs) -> dict[str, list[np.ndarray]]:
    """A SavedModel's outputs by name, one array per query.

    Raises:
        InputError: the signature has other inputs than `feeds`.
    """
    from ...train.export.savedmodels import call_signature

    expected = signature.specs
    if set(expected) != set(feeds):
        raise InputError(
            "--inputs",
            expected=f"arrays named {sorted(expected)}",
            given=sorted(feeds),
            do="choose another --signature",
            code="INPUT_MISMATCH",
        )
    answers: dict[str, list[np.ndarray]] = {}
    for row in range(len(next(iter(feeds.values())))):
        query = {
            name: values[row].astype(object) if values.dtype.kind == "S" else values[row]
            for name, values in feeds.items()
        }
        for name, value in call_signature(signature, query).items():
            answers.setdefault(name, []).append(value)
    return answers
