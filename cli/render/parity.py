"""parity.json in the terminal."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ...benchmarks.parity.judging.first_difference import side_by_side
from ...benchmarks.report.columns import Cell, Column, Grid
from ...benchmarks.report.presentation import MARKS, NONE, counted, four_digits, two_digits
from ...core.records.agreement import METRICS, QUALITY, Agreement, Metric
from ...core.records.parity import ParityReport, ParityRow
from ...runtimes.runtimes import runtime_of
from ...runtimes.targets import short_label
from .tables import MARKED, Fitted

Places: TypeAlias = Mapping[str, Sequence[str]]
_WORST_FIRST = ("error", "fail", "skipped", "pass")


def parity_table(report: ParityReport) -> Fitted:
    """Parity results: one row per variant, one column per runtime with a mark for each processor, the worst values beside.

    A mark stands for both with XNNPACK and without: ✓ passed, ✗ missed a gate, ! could not be compared, – skipped.
    """
    variants: dict[tuple[str, str], list[ParityRow]] = {}
    places: dict[str, list[str]] = {}
    for row in report.rows:
        variants.setdefault((row.graph or "", row.recipe or ""), []).append(row)
        targets = places.setdefault(row.runtime, [])
        if row.target not in targets:
            targets.append(row.target)
    metrics = {name: metric for name, metric in METRICS.items() if metric.column}
    columns = [
        Column("graph", "", is_number=False),
        Column("recipe", "", is_number=False),
        *(Column(_heading(runtime, targets), "", is_number=False) for runtime, targets in places.items()),
        *(Column(metric.column, "", drop=place) for place, metric in enumerate(metrics.values())),
        Column("of", "", is_number=False, drop=len(metrics)),
    ]
    rows = [_cells(*variant, rows, places, metrics) for variant, rows in variants.items()]
    title = "Parity with the SavedModel (✓ passed, ✗ missed a gate, ! could not be compared, – skipped)"
    return Fitted(Grid(columns, rows, sections=[graph for graph, _ in variants]), title)


def _heading(runtime: str, targets: Sequence[str]) -> str:
    found = runtime_of(runtime)
    return f"{found.short_label}\n{found.version}\n{' '.join(map(short_label, targets))}"


def _cells(
    graph: str, recipe: str, rows: Sequence[ParityRow], places: Places, metrics: Mapping[str, Metric]
) -> list[Cell]:
    ran = [row.metrics for row in rows if row.metrics.max_abs_diff is not None]
    worst = []
    for name, metric in metrics.items():
        values = [value for found in ran if (value := found.value(name)) is not None]
        worst.append((two_digits if metric.better == "lower" else four_digits)(metric.worst(values)))
    marks = [_marks(rows, runtime, targets) for runtime, targets in places.items()]
    return [Cell(graph), Cell(recipe), *marks, *map(Cell, worst), Cell(_reference(ran))]


def _marks(rows: Sequence[ParityRow], runtime: str, targets: Sequence[str]) -> Cell:
    """A mark for each processor under its name, the worst of with XNNPACK and without."""
    marks = []
    for target in targets:
        found = [row.status for row in rows if (row.runtime, row.target) == (runtime, target)]
        status = next((status for status in _WORST_FIRST if status in found), "")
        marks.append(MARKS.get(status, " ").center(len(short_label(target))))
    return Cell(" ".join(marks), MARKED)


def _reference(ran: Sequence[Agreement]) -> str:
    """The SavedModel's own quality."""
    if not ran or ran[0].quality_metric is None:
        return NONE
    return f"{QUALITY[ran[0].quality_metric].short} {four_digits(ran[0].quality_reference)}"


def parity_reasons(report: ParityReport) -> list[str]:
    """How many cells passed, and one paragraph for every reason why others did not: where, why, and the first user whose list
    differs."""
    rows = report.rows
    lines = [f"{sum(row.status == 'pass' for row in rows)} of {len(rows)} passed: {_extent(rows)}"]
    found: dict[tuple[str, str, str], list[ParityRow]] = {}
    for row in (row for row in rows if row.status != "pass"):
        what = f"{row.graph or ''} {row.recipe or ''}".strip() if row.status != "skipped" else ""
        found.setdefault((row.status, what, row.reason), []).append(row)
    for (status, what, reason), cells in found.items():
        places = "; ".join(dict.fromkeys(map(_where, cells)))
        lines.append(f"{status}: {what or counted(len(cells), 'cell')} on {places}: {reason}")
        lines += [f"  {row.target}: {said}" for row in cells if row.acceleration and (said := row.acceleration.summary)]
        lines += dict.fromkeys(f"  blamed: {row.blame.summary}" for row in cells if row.blame)
        if differing := cells[0].first_difference:
            lines += [f"  {line}" for line in side_by_side(differing)]
    return lines


def _where(row: ParityRow) -> str:
    return f"{row.runtime} ({row.target}{', no XNNPACK' if row.delegate == 'none' else ''})"


def _extent(rows: Sequence[ParityRow]) -> str:
    queries = max((row.n_queries for row in rows), default=0)
    edges = max((len(row.edges) for row in rows), default=0)
    sizes = (
        (len({(row.graph, row.recipe) for row in rows}), "variant"),
        (len({row.runtime for row in rows}), "runtime"),
        (len({row.target for row in rows}), "processor"),
    )
    each = f"{queries} queries" + (f" and {edges} edge cases each" if edges else " each")
    return ", ".join([*(counted(n, noun) for n, noun in sizes), each])
