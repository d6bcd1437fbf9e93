"""`pocketrec report`: what the JSON of parity and latency says, for people and for CI."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import show
from ..options import RunArgument
from ..rules import checked


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
    """Write reports/report.html, report.md and junit.xml from the JSON beside them.

    \b
    Examples: pocketrec report run
              pocketrec report run --baseline last/run --fail-on regression
    """
    from ...benchmarks.report.stage import write_report
    from ...core.errors import CheckFailed, pick
    from ...core.run_dir import open_run

    if fail_on is not None:
        pick("--fail-on", fail_on, ["regression"])
    written, compared = write_report(open_run(run), baseline=open_run(baseline) if baseline else None)
    show(*(compared.lines() if compared else ()), *(f"wrote {path}" for path in written))
    if fail_on and compared and compared.worse:
        raise CheckFailed(f"{len(compared.worse)} regressions against {baseline}", code="REGRESSION")
