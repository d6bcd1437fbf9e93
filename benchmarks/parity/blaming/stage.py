"""Blaming the failed cells of a run's last parity report."""

import threading
from collections.abc import Collection, Iterable
from pathlib import Path

from ....convert.graph_conversion import float32_of
from ....convert.graphs import Options
from ....convert.quantize.preparation import prepare
from ....convert.quantize.quantizer import apply_recipe
from ....convert.quantize.recipes import RECIPES
from ....core.errors import pick
from ....core.records.parity import ParityReport, ParityRow
from ....core.records.variants import Variant
from ....core.run_dir import Run, check_unchanged
from ....core.scoring import DEFAULT_K
from ....runtimes.launch import connected, side_by_side
from ..rejudge import stored_report
from ..stage import JudgedRun
from ..stored_outputs import cell_of
from .failed_cell import FailedCell, blamed, nothing_failed, runnable


def blame_run(
    run: Run,
    *,
    graphs: Iterable[str] = (),
    recipes: Iterable[str] = (),
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    gates: Path | None = None,
    timeout_s: float = 120.0,
) -> ParityReport:
    """Find the operator that each failed cell of the last parity run fails by, and write reports/parity.json.

    The graph of an operator that goes wrong alone is written to reports/blame, with inputs under which it does.

    Args:
        run: a run with reports/parity.json.
        graphs, recipes, runtimes, targets: which cells, by what the report names; all when empty.
        gates: TOML file of tolerances in place of the kit's own.
        timeout_s: time limit of one execution of a cut graph, in seconds.

    Returns:
        The report, with `blame` in the rows of failed cells.

    Raises:
        InputError: parity was never run, or on other variants; a name that the report has not; no such cell failed.
        CheckFailed: the kit's own reference does not run.
    """
    known, judged = stored_report(run, gates)
    wanted = [
        _chosen("--graph", graphs, [row.graph or "" for row in known.rows]),
        _chosen("--recipe", recipes, [row.recipe or "" for row in known.rows]),
        _chosen("--runtime", runtimes, [row.runtime for row in known.rows]),
        _chosen("--target", targets, [row.target for row in known.rows]),
    ]
    rows, exact = list(known.rows), _Float32Files(run)
    chosen = [number for number, row in enumerate(rows) if _is_named(row, wanted)]
    cases = {number: case for number in chosen if (case := _case(judged, exact, rows[number], timeout_s)) is not None}
    if not cases:
        raise nothing_failed(len(chosen))
    with connected({rows[number].target for number in cases}), side_by_side() as pool:
        found = pool.map(lambda number: blamed(rows[number], cases[number], run.reports), cases)
        for number, row in zip(cases, found, strict=True):
            rows[number] = row
    return judged.write(rows)


class _Float32Files:
    """Float32 files of a run's graphs, converted anew from its SavedModels: those of the run may be what is wrong."""

    def __init__(self, run: Run) -> None:
        self._run, self._lock, self._known = run, threading.Lock(), dict[str, bytes]()

    def of(self, variant: Variant) -> bytes:
        """The float32 file of a variant's graph, in the shapes that every recipe's has."""
        with self._lock:  # TensorFlow's converter is not for several threads
            if variant.graph not in self._known:
                k = next((port.shape[-1] for port in variant.outputs if port.name == "ids"), DEFAULT_K)
                prepared = prepare(float32_of(self._run, variant.graph, Options(k=k)))
                exact = next(recipe for recipe in RECIPES.values() if recipe.is_exact)
                self._known[variant.graph] = apply_recipe(prepared, exact)
            return self._known[variant.graph]


def _chosen(option: str, names: Iterable[str], known: Iterable[str]) -> Collection[str]:
    known = list(dict.fromkeys(known))
    return [pick(option, name, known) for name in names] or known


def _is_named(row: ParityRow, wanted: Iterable[Collection[str]]) -> bool:
    names = (row.graph or "", row.recipe or "", row.runtime, row.target)
    return all(name in some for name, some in zip(names, wanted, strict=True))


def _case(judged: JudgedRun, exact: _Float32Files, row: ParityRow, timeout_s: float) -> FailedCell | None:
    """What the search of a failed row starts from; None for any other, and for what cannot be executed here."""
    cell = cell_of(row)
    if row.status not in ("fail", "error") or not runnable(cell):
        return None
    variant = next(v for v in judged.run.variants if (v.graph, v.recipe) == (cell.graph, cell.recipe))
    if judged.unavailable(variant, cell, ()) is not None:
        return None
    check_unchanged(judged.run, variant)
    return FailedCell(
        cell,
        (judged.run.converted / variant.file).read_bytes(),
        variant.inputs,
        judged.feeds(cell.target, [port.name for port in variant.inputs]),
        lambda outcome: judged.row(cell, outcome).status == "pass",
        lambda: exact.of(variant),
        judged.gate(cell),
        timeout_s,
    )
