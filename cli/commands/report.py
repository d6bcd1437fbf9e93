"""`pocketrec report`: what the JSON of parity and latency says, for people and for CI."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show
from ..options import RunArgument

if TYPE_CHECKING:
    from ...api.measurement import Report
from ...api.rules import checked


@checked
def report(
    run: RunArgument,
    baseline: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="An earlier run: mark what got slower, larger or worse.")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(help="`regression`: exit 1 when anything got worse than the baseline.")
    ] = None,
) -> None:
    """Write a report as HTML, Markdown and JUnit.

    They are made from the JSON files in RUN/reports; nothing is measured.

    \b
    Examples:
      pocketrec report run
      pocketrec report run --baseline last/run --fail-on regression
    """
    from ...api.measurement import report as write_report
    from ...core.errors import CheckFailed, pick

    if fail_on is not None:
        pick("--fail-on", fail_on, ["regression"])
    written = write_report(run, baseline=baseline)
    show_report(written)
    if fail_on and written.regressions:
        raise CheckFailed(f"{len(written.regressions)} regressions against {baseline}", code="REGRESSION")


def show_report(report: "Report") -> None:
    """What changed since the baseline, and the files."""
    comparison = report.comparison
    show(*(comparison.lines() if comparison else ()), *(f"wrote {path}" for path in report.files))
