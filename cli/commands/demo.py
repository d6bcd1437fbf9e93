"""`pocketrec demo`: the whole road on MovieLens-100K."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ..console import show
from ..options import DataDir, Verbose


def demo(
    out: Annotated[Path, typer.Option(help="Run directory to create.")] = Path("run"),
    data_dir: DataDir = None,
    verbose: Verbose = False,
) -> None:
    """Train, convert, check, time, bundle and verify on MovieLens-100K.

    \b
    Example: pocketrec demo --out run
    """
    from .bundle import bundle
    from .convert import convert
    from .keygen import keygen
    from .latency import latency
    from .parity import parity
    from .recommend import recommend
    from .report import report
    from .train import train
    from .verify import verify

    started = time.monotonic()
    train(out=out, data_dir=data_dir, verbose=verbose)
    convert(out, verbose=verbose)
    parity(out, verbose=verbose)
    latency(out, processes=3, verbose=verbose)
    report(out)
    keygen(out / "demo-key.pem")
    bundle(out, sign=out / "demo-key.pem", verbose=verbose)
    verify(out / "bundle", keys=[out / "demo-key.pub.pem"])
    recommend(out / "bundle", history=["Speed (1994)=5", "Contact (1997)=4"], prefer=["Sci-Fi"], top=5)
    show(f"\ndone in {time.monotonic() - started:.0f} s; next: open {out / 'reports' / 'report.html'}")
