"""parity.json in the terminal."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ...benchmarks.parity.first_difference import side_by_side
from ...benchmarks.parity.verdicts import where
from ...benchmarks.report.columns import Cell, Column, Grid, field_of
from ...benchmarks.report.presentation import MARKS, NONE, counted, four_digits, short_target, two_digits
from ...benchmarks.report.tables import metric_name
from .tables import MARKED, Fitted

Document = Mapping[str, object]
Row = Mapping[str, object]
Places: TypeAlias = dict[str, list[str]]
_WORST_FIRST = ("error", "fail", "skipped", "pass")


def parity_table(document: Document) -> Fitted:
    """Parity results: one row per variant, one column per runtime with a mark for each processor, the worst values beside.

    A mark stands for both with XNNPACK and without: ✓ passed, ✗ missed a gate, ! could not be compared, – skipped.
    """
    results: Sequence[Row] = field_of(document, "results")
    by_variant: dict[tuple[str, str], list[Row]] = {}
    places: Places = {}
    for row in results:
        by_variant.setdefault((str(row["graph"]), str(row["recipe"])), []).append(row)
        targets = places.setdefault(str(row["runtime"]), [])
        if row["target"] not in targets:
            targets.append(str(row["target"]))
    columns = [
        Column("graph", "", is_number=False),
        Column("recipe", "", is_number=False),
        *(Column(_runtime_heading(runtime, targets), "", is_number=False) for runtime, targets in places.items()),
        Column("max\ndiff", ""),
        Column("top k\nkept", "", drop=1),
        Column("quality\nlost", "", drop=2),
        Column("reference", "", is_number=False, drop=3),
    ]
    rows = [_cells(*variant, rows, places) for variant, rows in by_variant.items()]
    title = "Parity with the SavedModel (✓ passed, ✗ missed a gate, ! could not be compared, – skipped)"
    return Fitted(Grid(columns, rows, sections=[graph for graph, _ in by_variant]), title)


def _runtime_heading(runtime: str, targets: Sequence[str]) -> str:
    name, _, version = runtime.rpartition("-")
    return f"{name.removesuffix('-runtime')}\n{version}\n{' '.join(map(short_target, targets))}"


def _cells(graph: str, recipe: str, rows: Sequence[Row], places: Places) -> list[Cell]:
    ran = [row["metrics"] for row in rows if field_of(row, "metrics.max_abs_diff") is not None]
    values = {name: [v for v in (field_of(m, name) for m in ran) if v is not None] for name in _WORST_OF}
    return [
        Cell(graph),
        Cell(recipe),
        *(_marks(rows, runtime, targets) for runtime, targets in places.items()),
        Cell(two_digits(max(values["max_abs_diff"], default=None))),
        Cell(four_digits(min(values["top_k_overlap"], default=None))),
        Cell(two_digits(max(values["quality_loss"], default=None))),
        Cell(_reference(ran)),
    ]


_WORST_OF = ("max_abs_diff", "top_k_overlap", "quality_loss")


def _marks(rows: Sequence[Row], runtime: str, targets: Sequence[str]) -> Cell:
    """A mark for each processor under its name, the worst of with XNNPACK and without."""
    marks = []
    for target in targets:
        found = [row["status"] for row in rows if (row["runtime"], row["target"]) == (runtime, target)]
        status = next((status for status in _WORST_FIRST if status in found), "")
        marks.append(MARKS.get(status, " ").center(len(short_target(target))))
    return Cell(" ".join(marks), MARKED)


def _reference(ran: Sequence[object]) -> str:
    if not ran or field_of(ran[0], "quality_metric") is None:
        return NONE
    return f"{metric_name(field_of(ran[0], 'quality_metric'))} {four_digits(field_of(ran[0], 'quality_reference'))}"


def parity_reasons(document: Document) -> list[str]:
    """How many cells passed, and one paragraph for every reason why others did not: where, why, and the first user whose list
    differs."""
    results: Sequence[Row] = field_of(document, "results")
    lines = [f"{sum(row['status'] == 'pass' for row in results)} of {len(results)} passed: {_extent(results)}"]
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in (row for row in results if row["status"] != "pass"):
        variant = (row["graph"], row["recipe"]) if row["status"] != "skipped" else ("", "")
        found.setdefault((row["status"], *variant, row["reason"]), []).append(row)
    for (status, graph, recipe, reason), rows in found.items():
        what = f"{graph} {recipe}".strip() or counted(len(rows), "cell")
        lines.append(f"{status}: {what} on {'; '.join(dict.fromkeys(map(where, rows)))}: {reason}")
        if differing := field_of(rows[0], "first_difference"):
            lines += [f"  {line}" for line in side_by_side(differing)]
    return lines


def _extent(results: Sequence[Row]) -> str:
    variants = {(row["graph"], row["recipe"]) for row in results}
    queries = max((field_of(row, "n_queries") for row in results), default=0)
    edges = max((len(field_of(row, "edges") or {}) for row in results), default=0)
    kinds = [
        counted(len({row[key] for row in results}), noun)
        for key, noun in (("runtime", "runtime"), ("target", "processor"))
    ]
    each = f"{queries} queries" + (f" and {edges} edge cases each" if edges else " each")
    return ", ".join([counted(len(variants), "variant"), *kinds, each])
