"""evaluation.json in the terminal."""

from ...benchmarks.report.evaluation_tables import lists_grid, models_grid, protocol_text, situations_grid
from ...core.records.evaluation import Evaluation
from .tables import Fitted


def evaluation_tables(document: Evaluation) -> list[Fitted]:
    """Accuracy of every model, what its lists are like, and whom the run's own serves how well."""
    return [
        Fitted(models_grid(document), "Quality on held-out ratings", protocol_text(document)),
        Fitted(situations_grid(document), f"Lists of {document.models[0].model}"),
        Fitted(lists_grid(document), "What the first 10 are like, and cold items in the first 100"),
    ]


def evaluation_notes(document: Evaluation) -> list[str]:
    """Warnings, and why models were skipped; one line each."""
    skipped = [f"skipped: {row.model}: {row.skipped}" for row in document.models if row.skipped]
    return [*skipped, *(f"warning: {text}" for text in document.warnings)]
