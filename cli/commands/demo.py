"""`pocketrec demo`: the whole road on MovieLens-100K."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ..console import show, working
from ..options import DataDir, Verbose

HISTORY = {"Speed (1994)": 5.0, "Contact (1997)": 4.0}


def demo(
    out: Annotated[Path, typer.Option(help="Run directory to create.")] = Path("run"),
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Train, convert, check, time and bundle on MovieLens-100K.

    \b
    Example:
      pocketrec demo --out run
    """
    from ...api import bundle_writing, bundles, conversion, measurement, training
    from .bundle import show_bundle
    from .convert import show_variants
    from .latency import show_latency
    from .parity import show_parity
    from .recommend import show_answer
    from .report import show_report
    from .train import show_run

    started = time.monotonic()
    with working(verbose):
        run = training.train(out, data_dir=data_dir)
    show_run(run)
    with working(verbose):
        converted = conversion.convert(run)
    show_variants(converted)
    with working(verbose):
        parity = measurement.parity(run)
    show_parity(parity)
    if not parity.passed:
        raise typer.Exit(1)
    with working(verbose):
        latency = measurement.latency(run, processes=3)
    show_latency(latency)
    show_report(measurement.report(run))
    private_key = out / "demo-key.pem"
    public_key, _ = bundle_writing.keygen(private_key)
    with working(verbose):
        bundle = bundle_writing.bundle(run, sign=private_key)
    show_bundle(bundle)
    verified = bundles.verify(bundle.path, keys=[public_key])
    show(*verified.checks, f"verified {verified.name} version {verified.version}")
    show_answer(bundle.recommend(HISTORY, prefer=["Sci-Fi"], top=5), "For this history")
    show(f"\ndone in {time.monotonic() - started:.0f} s; next: open {out / 'reports' / 'report.html'}")
