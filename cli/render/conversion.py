"""Converted variants, and the same graphs by other converters, in the terminal."""

from collections.abc import Mapping, Sequence

from ...benchmarks.report.columns import Column, field_of
from ...benchmarks.report.presentation import NONE, count, four_digits, two_digits
from ...benchmarks.report.tables import VARIANT_COLUMNS, metric_name
from .tables import Fitted, table

Document = Mapping[str, object]
Row = Mapping[str, object]


def variants_table(document: Document) -> Fitted:
    """Converted variants: size, tables by dtype, minimum runtime version, traps."""
    return table(VARIANT_COLUMNS, field_of(document, "variants"), "Variants")


def comparison_table(document: Document) -> Fitted:
    """Ours next to other converters, one row per file; worst error and quality over the runtimes it runs on."""
    rows: Sequence[Row] = field_of(document, "results")
    return table(
        _comparison_columns(rows),
        [_flattened(row) for row in rows],
        f"The same graphs by other converters, {document['n_queries']} held-out users",
        section="graph",
    )


def _comparison_columns(rows: Sequence[Row]) -> list[Column]:
    runtimes = list(field_of(rows[0], "runtimes"))
    return [
        Column("graph", "graph", is_number=False),
        Column("made by", "made_by", is_number=False),
        Column("bytes", "size_bytes", count),
        Column("float32 tables", "float_table_bytes", count, drop=3),
        *(
            Column(name, f"statuses.{number}", is_number=False, tone=f"statuses.{number}")
            for number, name in enumerate(runtimes)
        ),
        Column("worst error", "worst", two_digits, drop=1),
        Column("quality", "quality", is_number=False, drop=4),
        Column("reference", "reference", is_number=False, drop=5),
    ]


def _flattened(row: Row) -> dict[str, object]:
    cells: Mapping[str, Row] = field_of(row, "runtimes")
    ran = [cell["metrics"] for cell in cells.values() if cell["metrics"]]
    name, variant, reference = _quality(ran)
    return {
        **{key: row[key] for key in ("graph", "size_bytes", "float_table_bytes")},
        "made_by": made_by(row),
        "statuses": {str(number): cell["status"] for number, cell in enumerate(cells.values())},
        "worst": max((field_of(metrics, "max_abs_diff") for metrics in ran), default=None),
        "quality": f"{name} {variant}".strip(),
        "reference": reference,
    }


def _quality(ran: Sequence[object]) -> tuple[str, str, str]:
    """The metric, and the variant's and the SavedModel's value where they differ most."""
    if not ran or field_of(ran[0], "quality_metric") is None:
        return NONE, "", NONE
    worst = max(ran, key=lambda metrics: abs(field_of(metrics, "quality_delta")))
    variant, reference = (four_digits(field_of(worst, f"quality_{side}")) for side in ("variant", "reference"))
    return metric_name(field_of(worst, "quality_metric")), variant, reference


def made_by(row: Row) -> str:
    """A converter, and its recipe where it has several."""
    return " ".join(str(row[key]) for key in ("made_by", "recipe") if row[key])


def comparison_reasons(document: Document) -> list[str]:
    """One line for every file that a runtime refuses or answers wrongly, equal reasons on several runtimes once."""
    lines = []
    rows: Sequence[Row] = field_of(document, "results")
    for row in rows:
        found: dict[str, list[str]] = {}
        cells: Mapping[str, Row] = field_of(row, "runtimes")
        for runtime, cell in cells.items():
            if cell["status"] != "right":
                found.setdefault(f"{cell['status']}: {cell['reason']}", []).append(runtime)
        lines += [f"{row['graph']} by {made_by(row)} on {', '.join(on)} {reason}" for reason, on in found.items()]
    return lines
