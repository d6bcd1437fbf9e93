"""A sweep over catalogue sizes in the terminal."""

from ...benchmarks.report.tables import CATALOGUE_COLUMNS, COST_COLUMNS, GROWTH_COLUMNS, swept
from ...core.records.latency import LatencyReport
from .tables import Fitted, table


def catalogue_tables(report: LatencyReport) -> list[Fitted]:
    """Retrieval by size of the catalogue, the catalogues themselves, and the cost model."""
    return [
        table(
            CATALOGUE_COLUMNS,
            swept(report),
            "Retrieval by size of the catalogue, one query per call",
            section="row.n_items",
        ),
        table(GROWTH_COLUMNS, report.growth or [], "Catalogues, next to the trained one"),
        table(
            COST_COLUMNS,
            report.cost_model or [],
            "Full scans: time = fixed + bytes / bandwidth + top k per score × scores through a heap",
        ),
    ]
