"""Parity of a SavedModel and a .tflite file that this kit did not make."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ...core.documents import PARITY_SCHEMA, document_head, write_json
from ...core.errors import InputError
from ...core.files.atomic import require_empty, write_npz
from ...core.files.hashing import sha256_bytes, sha256_file, sha256_tree
from ...core.queries.packing import rows_of
from ...core.records.agreement import Agreement
from ...core.records.parity import FirstDifference, ParityReport, ParityRow
from ...core.records.variants import Port
from ...runtimes.launch import run_variant
from ...runtimes.model_file.reader import read_tflite
from ...runtimes.npz_inputs import feeds_of_npz
from ...runtimes.runtimes import RUNTIMES, chosen_runtimes, runtime_packages
from .agreement import kendall_tau, max_abs_diff, mean_abs_diff, mean_defined
from .judging.first_difference import both_lists
from .judging.gates import FOREIGN, Gate, read_gates
from .judging.judge import Cell, Findings, Outputs, judge, unavailable
from .outputs import Answers, returned_lists, scored_items

if TYPE_CHECKING:
    from ...train.export.savedmodels import LoadedSignature

# Names of outputs that rank, where --scores names none.
_SCORES = ("scores", "score")
# Arrays by name, one per query.
Rows: TypeAlias = Mapping[str, Sequence[np.ndarray]]


def check_foreign(
    saved_model: Path,
    tflite: Path,
    inputs: Path,
    *,
    signature: str | None = None,
    runtimes: Iterable[str] = (),
    out: Path | None = None,
    gates: Path | None = None,
    scores: str | None = None,
    timeout_s: float = 120.0,
) -> ParityReport:
    """Compare a SavedModel's signature with a .tflite file on every query of an .npz.

    Args:
        saved_model, tflite: both sides.
        inputs: .npz with one array per input, keyed by name; axis 0 indexes queries.
        signature: of the SavedModel; its first when None.
        runtimes: keys of `RUNTIMES`; all when empty.
        out: an empty or new folder for parity.json and the raw outputs; nothing is written when None.
        gates: TOML file with a table [foreign.any] in place of the kit's own.
        scores: output that ranks. With an output of ids beside it (`ids`, or the only integer output of the same shape) lists are
            compared, otherwise the order of its values; when None, an output called scores or score.
        timeout_s: time limit of a run, in seconds.

    Returns:
        The report: true when no row failed.

    Raises:
        InputError: files that cannot be read or do not fit each other, or no such output.
    """
    from ...convert.converter import choose_signature

    file, names = read_tflite(tflite), chosen_runtimes(runtimes, ("host",), RUNTIMES)
    if out is not None:
        require_empty(out)
    gate = _gate(gates)
    feeds = feeds_of_npz(inputs, file.ports()[0], "--inputs")
    chosen, loaded = choose_signature(saved_model, signature)
    expected = PairExpected.of(saved_model_outputs(loaded, feeds), scores)
    ports = [Port(**port) for port in file.ports()[0]]
    made_from = sha256_tree(saved_model) + sha256_file(tflite) + sha256_file(inputs)
    report = ParityReport(
        **document_head(PARITY_SCHEMA, sha256_bytes(made_from.encode()), runtime_packages()),
        results=[
            unavailable(cell, gate, inputs=ports) or _row(cell, tflite, feeds, expected, gate, out, timeout_s)
            for cell in _cells(chosen, tflite.stem, names)
        ],
    )
    if out is not None:
        write_json(out / "parity.json", report.to_json())
    return report


def _gate(path: Path | None) -> Gate:
    gate = read_gates(path).find(*FOREIGN)
    if gate is None:
        raise InputError(
            "--gates",
            expected="a table [foreign.any]",
            given="none",
            do="add it, or leave --gates out",
            code="GATES_INVALID",
        )
    return gate


def _cells(signature: str, file: str, runtimes: Sequence[str]) -> Iterator[Cell]:
    for runtime in runtimes:
        for delegate in RUNTIMES[runtime].delegates():
            yield Cell(signature, file, runtime, delegate=delegate)


def _row(
    cell: Cell,
    tflite: Path,
    feeds: Outputs,
    expected: "PairExpected",
    gate: Gate,
    out: Path | None,
    timeout_s: float,
) -> ParityRow:
    outcome = run_variant(tflite, feeds, runtime=cell.runtime, delegate=cell.delegate, timeout_s=timeout_s)
    if out is not None and outcome:
        write_npz(out / "raw" / f"{cell.runtime}{'' if cell.delegate else '@none'}.npz", **outcome.arrays)
    return judge(cell, outcome, expected, gate)


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
