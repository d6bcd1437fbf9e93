"""parity.json as a heat map: rows by graph and recipe, columns by runtime, target and delegate, and what did not pass."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.records.agreement import METRICS
from ...core.records.parity import FirstDifference, ListedItem, ParityRow
from ...runtimes.runtimes import runtime_of
from ...runtimes.targets import short_label
from ..parity.judging.first_difference import side_by_side
from ..parity.judging.verdicts import allowance_used, where, worst_measure
from .presentation import MARKS, four_digits, percent, significant, two_digits

_NO_DELEGATE = ", no XNNPACK"
_FAILURES_FIRST = {"fail": 0, "error": 1, "skipped": 2}


@dataclass(frozen=True)
class HeatCell:
    """One cell.

    Attributes:
        index: of its row in parity.json.
        mark: the status as one character.
        heat: percentage of its gate that the worst metric used, at most 100.
        share: the same for people; '' where nothing was compared.
        label: all of it in one line.
    """

    index: int
    status: str
    mark: str
    heat: int
    share: str
    label: str

    @property
    def source(self) -> str:
        return f"parity.json results[{self.index}]"


@dataclass(frozen=True)
class HeatColumn:
    """A processor, with or without a delegate: its full name and a short one."""

    title: str
    short: str


@dataclass(frozen=True)
class HeatRow:
    """A variant, with a cell or None for each column."""

    graph: str | None
    recipe: str | None
    cells: Sequence[HeatCell | None]


@dataclass(frozen=True)
class HeatMap:
    """The matrix of parity.

    Attributes:
        groups: runtimes over the columns, each with its number of columns.
    """

    groups: Sequence[tuple[str, int]]
    columns: Sequence[HeatColumn]
    rows: Sequence[HeatRow]


def matrix(results: Sequence[ParityRow]) -> HeatMap:
    """Lay the rows of parity.json out."""
    places = list(dict.fromkeys(_place(row) for row in results))
    cells = {(row.graph, row.recipe, _place(row)): _cell(index, row) for index, row in enumerate(results)}
    groups: dict[str, int] = {}
    for runtime, _, _ in places:
        groups[runtime] = groups.get(runtime, 0) + 1
    columns = []
    for _, target, delegate in places:
        without = _NO_DELEGATE if delegate == "none" else ""
        columns.append(HeatColumn(f"{target}{without}", f"{short_label(target)}{without}"))
    rows = [
        HeatRow(graph, recipe, [cells.get((graph, recipe, place)) for place in places])
        for graph, recipe in dict.fromkeys((row.graph, row.recipe) for row in results)
    ]
    return HeatMap([(runtime_of(runtime).label, n) for runtime, n in groups.items()], columns, rows)


def _place(row: ParityRow) -> tuple[str, str, str]:
    return row.runtime, row.target, row.delegate


def _cell(index: int, row: ParityRow) -> HeatCell:
    worst = worst_measure(row)
    share = worst[1] if worst else None
    detail = f"{percent(share)} of its gate ({worst[0]})" if worst else row.reason
    return HeatCell(
        index=index,
        status=row.status,
        mark=MARKS[row.status],
        heat=round(min(1.0, share) * 100) if share is not None else 0,
        share=_short_share(row.status, share),
        label=f"{row.graph} {row.recipe} on {where(row)}: {row.status}, {detail}",
    )


def _short_share(status: str, share: float | None) -> str:
    if share is None or status not in ("pass", "fail"):
        return ""
    return percent(share) if share < 2 else (f"{two_digits(share)}×" if share < 100 else "≫")


def cell_detail(row: ParityRow) -> dict[str, object]:
    """What the page shows beside a cell: metrics as [name, value, bound, share used], edge cases as [name, difference, reason]."""
    used, bounds = allowance_used(row), row.limits
    measures = []
    for name, metric in METRICS.items():
        value = row.metrics.value(name)
        if value is None or not (metric.in_cell or name in bounds):
            continue
        bound = f"{metric.sign} {bounds[name]:g}" if name in bounds else ""
        measures.append([name, four_digits(value), bound, percent(used[name]) if name in used else ""])
    return {
        "status": row.status,
        "measures": measures,
        "edges": [[name, significant(edge.max_abs_diff), edge.reason] for name, edge in row.edges.items()],
        "reason": row.reason,
        "accelerated": row.acceleration.summary if row.acceleration else "",
        "blamed": row.blame.summary if row.blame else "",
        "why": row.tolerance["reason"],
        "n": row.n_queries,
        "quality": row.metrics.quality_metric or "",
    }


@dataclass(frozen=True)
class NotPassed:
    """Cells that did not pass, for one reason.

    Attributes:
        what: the variant; of skipped cells the graph.
        n: how many cells.
        where: their runtimes and processors.
        difference: the first user whose list differs; None where there is none.
    """

    status: str
    what: str
    reason: str
    n: int
    where: Sequence[str]
    difference: FirstDifference | None

    @property
    def mark(self) -> str:
        return MARKS[self.status]

    @property
    def pairs(self) -> list[tuple[ListedItem, ListedItem, bool]]:
        """Both lists by rank, and whether the items are the same."""
        if self.difference is None:
            return []
        pairs = zip(self.difference.reference, self.difference.variant, strict=False)
        return [(left, right, left.title == right.title) for left, right in pairs]

    @property
    def lines(self) -> list[str]:
        """Both lists as text."""
        return side_by_side(self.difference) if self.difference else []


def not_passed(results: Sequence[ParityRow]) -> list[NotPassed]:
    """Cells that did not pass, equal reasons once, failures first."""
    found: dict[tuple[str, str, str], list[ParityRow]] = {}
    for row in (row for row in results if row.status != "pass"):
        what = f"{row.graph} {row.recipe}" if row.status != "skipped" else row.graph or ""
        found.setdefault((row.status, what, row.reason), []).append(row)
    groups = []
    for (status, what, reason), rows in sorted(found.items(), key=lambda item: _FAILURES_FIRST[item[0][0]]):
        places = list(dict.fromkeys(map(where, rows)))
        groups.append(NotPassed(status, what, reason, len(rows), places, rows[0].first_difference))
    return groups
