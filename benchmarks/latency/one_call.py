"""Ranking 100 candidates in one call of our ranker against 100 calls of the tutorial's model, on the same runtime, interleaved.

python -m pocketrec.benchmarks.one_call RUN TUTORIAL_RUN
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ...convert.other_converters import exported
from ...core.errors import CheckFailed
from ...core.queries.held_out import HeldOut
from ...core.queries.model_inputs import feeds_for
from ...core.run_dir import Run, open_run
from ...runtimes.launch import run_variant
from ...runtimes.runtimes import PHONE_RUNTIMES

N_ITEMS, N_QUERIES, PROCESSES, SAMPLES = 100, 64, 5, 2000


def _feeds(run: Run, names: list[str], n_items: int) -> dict[str, np.ndarray]:
    data = HeldOut(run)
    items = np.arange(n_items, dtype=np.int32)
    return feeds_for(names, [replace(query, items=items) for query in data.queries[:N_QUERIES]], data.catalogue)


def _p50_us(file: Path, feeds: dict[str, np.ndarray], runtime: str) -> float:
    outcome = run_variant(file, feeds, runtime=runtime, latency={"warmup": 200, "samples": SAMPLES})
    if not outcome:
        raise CheckFailed(f"{file.name} on {runtime}: {outcome.reason}")
    return float(np.median(outcome.arrays["samples_ns"])) / 1e3


def compare(run: Run, tutorial: Run) -> Table:
    """Medians over processes of each process's p50, and their ratio, by runtime."""
    table = Table(
        "runtime", title=f"{N_ITEMS} candidates, one thread, {PROCESSES} processes of {SAMPLES:,} calls each, p50 in us"
    )
    for heading in ("one call, ranker dynamic_int8", f"{N_ITEMS} calls, tutorial float32", "ratio"):
        table.add_column(heading, justify="right")
    variant = next(v for v in run.variants_json["variants"] if (v["graph"], v["recipe"]) == ("ranker", "dynamic_int8"))
    ours = _feeds(run, [port["name"] for port in variant["inputs"]], N_ITEMS)
    theirs = _feeds(tutorial, ["user_id", "movie_title"], 1)
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch, exported(tutorial, "ranker_strings", 1) as source:
        plain = Path(scratch) / "tutorial.tflite"
        plain.write_bytes(source.float32)
        for runtime in PHONE_RUNTIMES:
            rounds = [
                (_p50_us(run.converted / variant["file"], ours, runtime), N_ITEMS * _p50_us(plain, theirs, runtime))
                for _ in range(PROCESSES)
            ]
            one, many = (float(np.median(column)) for column in zip(*rounds, strict=True))
            table.add_row(runtime, f"{one:.1f}", f"{many:.0f}", f"{np.median([b / a for a, b in rounds]):.0f}")
    return table


if __name__ == "__main__":
    from ...core.native_log import native_stderr_kept_aside

    with native_stderr_kept_aside():
        found = compare(*(open_run(Path(argument)) for argument in sys.argv[1:3]))
    Console().print(found)
