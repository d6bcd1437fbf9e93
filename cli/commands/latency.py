"""`pocketrec latency`: how long a recommendation takes, on the device and from a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, show_json, working
from ..options import Inputs, Json, OptionalRun, PhoneRuntimes, Targets, Tflite, Verbose

if TYPE_CHECKING:
    from ...core.records.latency import LatencyReport
from ...api.rules import checked


@checked
def latency(
    run: OptionalRun = None,
    threads: Annotated[list[int] | None, typer.Option(help="Threads; may be repeated. Default: {threads}.")] = None,
    items: Annotated[
        list[int] | None, typer.Option(help="Size to grow the catalogue to; may be repeated. Measures retrieval only.")
    ] = None,
    dimension: Annotated[
        int | None, typer.Option(help="Width to project the grown vectors to. Default: the run's own.")
    ] = None,
    runtimes: PhoneRuntimes = None,
    targets: Targets = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that measure each case. Default: {processes}.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Timed calls per process. Default: {samples}.")] = None,
    aar: Annotated[
        Path | None, typer.Option(help="An app's own Android archive, whose TFLite library is timed.")
    ] = None,
    tflite: Tflite = None,
    inputs: Inputs = None,
    out: Annotated[Path | None, typer.Option(help="Where a single file's latency.json and raw samples go.")] = None,
    served: Annotated[
        bool, typer.Option("--served", help="Ask `pocketrec serve` over loopback too, at rising rates.")
    ] = False,
    rtt_ms: Annotated[
        float | None, typer.Option(help="A network's round trip in milliseconds, to add in a column of its own.")
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Time every variant, with its recall.

    Server-side BruteForce and ScaNN are timed beside them, over the same queries.

    \b
    Examples:
      pocketrec latency run
      pocketrec latency run --items 10000 --items 100000 --dimension 32
      pocketrec latency run --served --rtt-ms 50
      pocketrec latency run --target adb
      pocketrec latency --tflite FILE --inputs FILE.npz
    """
    from ...api.measurement import latency as measure_latency

    with working(verbose):
        report = measure_latency(
            run,
            threads=threads or (),
            items=items or (),
            dimension=dimension,
            runtimes=runtimes or (),
            targets=targets or (),
            processes=processes,
            samples=samples,
            aar=aar,
            tflite=tflite,
            inputs=inputs,
            out=out,
            served=served,
            rtt_ms=rtt_ms,
        )
    if as_json:
        show_json(report.to_json())
    else:
        show_latency(report, by_items=bool(items))
    if report.failures:
        raise typer.Exit(1)


def show_latency(report: "LatencyReport", *, by_items: bool = False) -> None:
    """Percentiles of every case, or retrieval by the size of the catalogue; and how quiet the machine was."""
    from ..render.catalogues import catalogue_tables
    from ..render.latency import latency_reasons, latency_table

    show(*(catalogue_tables(report) if by_items else [latency_table(report)]), *latency_reasons(report))
