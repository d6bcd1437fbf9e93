"""Converted variants, and the same graphs by other converters, in the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...benchmarks.report.columns import Column
from ...benchmarks.report.presentation import NONE, count, four_digits, two_digits
from ...benchmarks.report.tables import VARIANT_COLUMNS, metric_name
from ...core.records.agreement import Agreement
from ...core.records.comparison import ComparedFile, ComparisonRecord
from ...core.records.variants import Variant
from .tables import Fitted, table


def variants_table(variants: Sequence[Variant]) -> Fitted:
    """Converted variants: size, tables by dtype, minimum runtime version, traps."""
    return table(VARIANT_COLUMNS, variants, "Variants")


@dataclass(frozen=True)
class _ComparedRow:
    """A file over all the runtimes it ran on."""

    file: ComparedFile

    @property
    def statuses(self) -> Mapping[str, str]:
        """By the number of the runtime: names of runtimes hold dots, which would part the name of a field."""
        return {str(number): found.status for number, found in enumerate(self.file.runtimes.values())}

    @property
    def _ran(self) -> list[Agreement]:
        return [found.metrics for found in self.file.runtimes.values() if found.metrics is not None]

    @property
    def worst(self) -> float | None:
        """The largest error."""
        return max(_known(metrics.max_abs_diff for metrics in self._ran), default=None)

    @property
    def _farthest(self) -> Agreement | None:
        """Where quality differs most from the SavedModel's."""
        return max(self._ran, key=lambda metrics: abs(metrics.quality_delta or 0.0), default=None)

    @property
    def quality(self) -> str:
        """The metric, and the variant's value of it."""
        found = self._farthest
        if found is None or found.quality_metric is None:
            return NONE
        return f"{metric_name(found.quality_metric)} {four_digits(found.quality_variant)}"

    @property
    def reference(self) -> str:
        """The SavedModel's value."""
        found = self._farthest
        return NONE if found is None or found.quality_metric is None else four_digits(found.quality_reference)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def comparison_table(record: ComparisonRecord) -> Fitted:
    """Ours next to other converters, one row per file; worst error and quality over the runtimes it runs on."""
    return table(
        _comparison_columns(list(record.results[0].runtimes)),
        [_ComparedRow(file) for file in record.results],
        f"The same graphs by other converters, {record.n_queries} held-out users",
        section="file.graph",
    )


def _comparison_columns(runtimes: Sequence[str]) -> list[Column]:
    return [
        Column("graph", "file.graph", is_number=False),
        Column("made by", "file.converter", is_number=False),
        Column("bytes", "file.size_bytes", count),
        Column("float32 tables", "file.float_table_bytes", count, drop=3),
        *(
            Column(name, f"statuses.{number}", is_number=False, tone=f"statuses.{number}")
            for number, name in enumerate(runtimes)
        ),
        Column("worst error", "worst", two_digits, drop=1),
        Column("quality", "quality", is_number=False, drop=4),
        Column("reference", "reference", is_number=False, drop=5),
    ]


def comparison_reasons(record: ComparisonRecord) -> list[str]:
    """One line for every file that a runtime refuses or answers wrongly, equal reasons on several runtimes once."""
    lines = []
    for file in record.results:
        found: dict[str, list[str]] = {}
        for runtime, ran in file.runtimes.items():
            if ran.status != "right":
                found.setdefault(f"{ran.status}: {ran.reason}", []).append(runtime)
        lines += [f"{file.graph} by {file.converter} on {', '.join(on)} {reason}" for reason, on in found.items()]
    return lines
