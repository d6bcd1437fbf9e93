"""Quality of models as a table."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from ...core.records.run import BaselineRow


def quality_table(rows: Sequence[BaselineRow], title: str) -> Table:
    """Quality of several models on one split; the best of each column is bold, a dash marks what a model does not offer."""
    table = Table("model", title=title)
    for heading in ("RMSE", "R@10", "R@100", "NDCG@10", "seconds"):
        table.add_column(heading, justify="right")
    best = (
        min((row.rmse for row in rows if row.rmse is not None), default=None),
        *(_largest(rows, name) for name in ("recall_at_10", "recall_at_100", "ndcg_at_10")),
    )
    for row in rows:
        values = (row.rmse, row.recall_at_10, row.recall_at_100, row.ndcg_at_10)
        cells = [_cell(value, value == top) for value, top in zip(values, best, strict=True)]
        table.add_row(row.model, *cells, f"{row.seconds:.1f}")
    return table


def _largest(rows: Sequence[BaselineRow], name: str) -> float | None:
    values: list[float] = [value for row in rows if (value := getattr(row, name)) is not None]
    return max(values, default=None)


def _cell(value: float | None, is_best: bool) -> Text:
    return Text("–" if value is None else f"{value:.4f}", "bold" if value is not None and is_best else "")
