"""Every encoder on every split: quality with intervals, seconds, bytes, what quantization costs, and relative speed.

`make encoders`, or `python tools/encoders.py`; see its `--help`. Runs stay in the folder `--out` and are not trained again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pocketrec.core.intervals import mean_estimates
from pocketrec.core.metrics import RETRIEVED, hits_among, ndcg_of_hits, recall_of_hits, top_k
from pocketrec.core.native_log import native_stderr_kept_aside
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.model_inputs import feed, feeds_for
from pocketrec.core.records.evaluation import Estimate
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import RUNTIMES
from pocketrec.train.data.splits import SPLITS
from pocketrec.train.encoders import AUTO, ENCODERS
from pocketrec.train.tensorflow_setup import configure_tensorflow
from rich.console import Console
from rich.table import Table

ROUNDS, CALLS, QUERIES = 30, 40, 100
STORED = ("float32", "dynamic_int8", "int4_rows")
# Modules of the runtimes that apps ship.
MODULES = {name: runtime.module for name, runtime in RUNTIMES.items() if runtime.is_phone}
MEASURES = ("R@10", "R@100", "NDCG@10")


@dataclass(frozen=True)
class Trained:
    """An encoder's run on a split."""

    encoder: str
    split: str
    run: Run


def trained(data: str, out: Path, encoder: str, split: str, dimension: int | None) -> Trained:
    """The run in `out`, made where it is not there."""
    from pocketrec.train.stage import train

    folder = out / f"{split}-{encoder}{f'-{dimension}' if dimension else ''}"
    if not (folder / "trained" / "run.json").is_file():
        train(folder, data=data, split=split, encoder=encoder, dimension=dimension)
    return Trained(encoder, split, Run(folder))


def quality_by_user(run: Run) -> np.ndarray:
    """float64[n_users, 3]: `MEASURES` of each held-out user by the exported models, ratings of the history ignored."""
    from pocketrec.train.export.savedmodels import load_signature

    data, candidates = HeldOut(run), np.load(run.trained / "candidates.npy")
    encoder = load_signature(run.saved_model("query"), "query_encoder")
    scores, relevant = np.empty((len(data.queries), len(candidates)), np.float32), []
    for row, query in enumerate(data.queries):
        unrated = replace(query, stars=np.zeros_like(query.stars))
        vector = encoder(**{name: feed(name, unrated, data.catalogue) for name in encoder.specs})["query"].numpy()[0]
        scores[row] = candidates @ vector
        scores[row, query.seen] = -np.inf
        relevant.append(np.isin(np.arange(len(candidates)), query.items))
    marks = np.stack(relevant)
    hits, n = hits_among(top_k(scores, RETRIEVED), marks), marks.sum(axis=1)
    return np.stack(
        [recall_of_hits(hits, n, 10), recall_of_hits(hits, n, RETRIEVED), ndcg_of_hits(hits, n, 10)], axis=1
    )


def converted(run: Run) -> dict[str, tuple[int, float]]:
    """Bytes of the retriever by recipe, and what the recipe costs of recall@100 on LiteRT."""
    from pocketrec.benchmarks.parity.stage import check_parity
    from pocketrec.convert.stage import convert_run

    if not (run.root / "reports" / "parity.json").is_file():
        convert_run(run, graphs=["retriever"], recipes=STORED)
        check_parity(run, runtimes=list(MODULES))
    rows = json.loads((run.root / "reports" / "parity.json").read_text())["results"]
    assert all(row["status"] == "pass" for row in rows), "a cell does not pass its gate"
    lost = {row["recipe"]: row["metrics"]["quality_loss"] for row in rows if row["runtime"].startswith("litert")}
    size = {recipe: (run.root / "converted" / f"retriever-{recipe}.tflite").stat().st_size for recipe in STORED}
    return {recipe: (size[recipe], lost[recipe]) for recipe in STORED}


def p50_us(runs: list[Run], runtime: str) -> list[float]:
    """Median time of the int8 retriever of each run, one thread: calls of all files in turn, in a process of its own."""
    with TemporaryDirectory() as scratch:
        spec = []
        for number, run in enumerate(runs):
            inputs = Path(scratch) / f"{number}.npz"
            model = run.root / "converted" / "retriever-dynamic_int8.tflite"
            names = [path["name"] for path in _ports(run)]
            feeds = feeds_for(names, HeldOut(run).queries[:QUERIES], HeldOut(run).catalogue)
            np.savez(inputs, **{name: np.asarray(value) for name, value in feeds.items()})
            spec.append((str(model), str(inputs)))
        command = [sys.executable, __file__, "--time", MODULES[runtime], json.dumps(spec)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def _ports(run: Run) -> list[dict[str, str]]:
    variants = json.loads((run.root / "converted" / "variants.json").read_text())["variants"]
    return next(row["inputs"] for row in variants if row["recipe"] == "dynamic_int8")


def time_in_turn(module: str, files: list[tuple[str, str]]) -> list[float]:
    """What `p50_us` runs in its process."""
    interpreter = import_module(module).Interpreter
    runners = []
    for model, inputs in files:
        made = interpreter(model_path=model, num_threads=1).get_signature_runner()
        with np.load(inputs) as archive:
            feeds = {name: archive[name] for name in archive.files}
        count = len(next(iter(feeds.values())))
        runners.append((made, [{name: value[row] for name, value in feeds.items()} for row in range(count)]))
    spent: list[list[int]] = [[] for _ in files]
    for turn in range(ROUNDS):
        for samples, (made, queries) in zip(spent, runners, strict=True):
            for call in range(CALLS):
                query = queries[(turn * CALLS + call) % len(queries)]
                started = time.perf_counter_ns()
                made(**query)
                samples.append(time.perf_counter_ns() - started)
    return [float(np.median(samples)) / 1000 for samples in spent]


def estimate_text(found: Estimate | None) -> str:
    """The mean and its interval."""
    if found is None or found.ci95 is None:
        return "–"
    return f"{found.value:.4f} ({found.ci95[0]:.3f} to {found.ci95[1]:.3f})"


def quality_tables(found: list[Trained]) -> Iterator[Table]:
    """One table a split."""
    for split in dict.fromkeys(each.split for each in found):
        table = Table("encoder", *MEASURES, "seconds", title=f"{split}: mean and 95% interval over users")
        for each in (row for row in found if row.split == split):
            cells = [estimate_text(found) for found in mean_estimates(quality_by_user(each.run))]
            table.add_row(each.encoder, *cells, f"{each.run.record.stage_s['retrieval']:.0f}")
        yield table


def file_table(found: list[Trained]) -> Table:
    """Of one split: bytes, costs and speed."""
    headings = [f"{recipe}: bytes" for recipe in STORED] + [f"{recipe}: R@100 lost" for recipe in STORED[1:]]
    table = Table("encoder", *headings, *(f"int8 p50, {name}" for name in MODULES), title="retriever")
    stored = [converted(each.run) for each in found]
    times = [p50_us([each.run for each in found], runtime) for runtime in MODULES]
    for number, (each, files) in enumerate(zip(found, stored, strict=True)):
        cells = [f"{files[recipe][0]:,}" for recipe in STORED] + [f"{files[recipe][1]:.4f}" for recipe in STORED[1:]]
        speeds = [f"{row[number]:.1f} us ({row[number] / row[0]:.2f})" for row in times]
        table.add_row(each.encoder, *cells, *speeds)
    return table


def main() -> None:
    """Show the tables."""
    names = [name for name in ENCODERS if name != AUTO]
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="movielens/100k")
    parser.add_argument("--out", type=Path, default=Path("build/encoders"))
    parser.add_argument("--dimension", type=int)
    parser.add_argument("--encoder", action="append", choices=names)
    parser.add_argument("--split", action="append", choices=list(SPLITS))
    given = parser.parse_args()
    chosen, show = given.encoder or names, Console(width=150).print
    found = [
        trained(given.data, given.out, encoder, split, given.dimension)
        for split in given.split or SPLITS
        for encoder in chosen
    ]
    for table in quality_tables(found):
        show(table)
    show(file_table(found[: len(chosen)]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--time"]:
        print(json.dumps(time_in_turn(sys.argv[2], json.loads(sys.argv[3]))))  # noqa: T201
    else:
        configure_tensorflow()
        with native_stderr_kept_aside():
            main()
