"""Quality, parity, latency, and the report on the last two."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.records import evaluation as evaluations
from ..core.records import parity as records
from ..core.records.latency import LatencyReport as LatencyReport
from ..core.run_dir import Run
from .arguments import StrPath, as_run, path_or_none
from .rules import checked

if TYPE_CHECKING:
    from ..benchmarks.report.baseline import Comparison


class ParityReport(records.ParityReport):
    """Whether every variant recommends what the SavedModel does; in a notebook, a heat map."""

    def _repr_html_(self) -> str:
        from .heat_map import heat_map

        return heat_map(self)


class Evaluation(evaluations.Evaluation):
    """How good a run's models are, and beside them the baselines; in a notebook, tables."""

    def _repr_html_(self) -> str:
        from .evaluation_html import evaluation_html

        return evaluation_html(self)


@dataclass(frozen=True)
class Report:
    """What `report` wrote.

    Attributes:
        files: report.html, report.md and junit.xml.
        comparison: Against the baseline; None where there was none.
    """

    files: list[Path]
    comparison: "Comparison | None"

    @property
    def regressions(self) -> list[str]:
        """What got worse than in the baseline, one line each."""
        return (
            [f"{row.what}: {row.before} before, {row.after} now" for row in self.comparison.worse]
            if self.comparison
            else []
        )


def evaluate(run: StrPath | Run, *, baselines: bool = False, users: int | None = None) -> Evaluation:
    """Measure the finished models of a run, which stay as they are, on its held-out part; writes `run`/reports/evaluation.json.

    Args:
        run: A run, or its directory.
        baselines: Also fit the baselines (`pr.names("baselines")`) on the same training part and measure them by the same code.
        users: Evaluate a sample of so many held-out users, drawn with a fixed seed; all when None.

    Returns:
        The figures, with 95% intervals over users, and which model is best in each.

    Raises:
        InputError: Files of the run are missing or were changed, or `users` is below 1.
    """
    from ..train import tf as _  # noqa: F401 - the first import says what to install
    from ..train.evaluation.stage import evaluate_run

    return Evaluation(**vars(evaluate_run(as_run(run), baselines=baselines, users=users)))


@checked
def parity(
    run: StrPath | Run | None = None,
    *,
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    require: Iterable[str] = (),
    gates: StrPath | None = None,
    refresh_reference: bool = False,
    rejudge: bool = False,
    resume: bool = False,
    blame: bool = False,
    graphs: Iterable[str] = (),
    recipes: Iterable[str] = (),
    aar: StrPath | None = None,
    saved_model: StrPath | None = None,
    signature: str | None = None,
    tflite: StrPath | None = None,
    inputs: StrPath | None = None,
    scores: str | None = None,
    out: StrPath | None = None,
) -> ParityReport:
    """Compare every variant with the SavedModel on held-out users, and write `run`/reports/parity.json.

    For a pair of another origin pass `saved_model`, `tflite` and `inputs` in place of `run`.

    Args:
        run: A converted run, or its directory.
        runtimes: Where to run the files (`pr.names("runtimes")`); every installed runtime when empty.
        targets: Processors (`pr.names("targets")`); the host when empty.
        require: For a run: targets whose absence is an error, not a skip.
        gates: A TOML file of tolerances in place of the kit's own.
        refresh_reference: For a run: ask the SavedModels again in place of the stored answers.
        rejudge: For a run: judge the stored outputs of the last run again under `gates`; run nothing.
        resume: For a run: judge the stored outputs of an interrupted run and of the last report, and run the other cells only.
        blame: For a run: find the operator that each failed cell of the last run fails by, and write it into its row; runtimes,
            targets, graphs and recipes choose among them. For a pair: of those of this call.
        graphs: With `blame`, for a run: cells of these graphs; all when empty.
        recipes: With `blame`, for a run: cells of these recipes; all when empty.
        aar: An Android archive, such as the one your app ships: the TFLite library in it joins the runtimes of this call.
        saved_model: A SavedModel of any origin.
        signature: The SavedModel's signature; its first when None.
        tflite: The .tflite file that should answer as the SavedModel does.
        inputs: An .npz with one array per input, axis 0 the queries.
        scores: The output that ranks; `scores` or `score`, where there is one, when None.
        out: Where the pair's parity.json and raw outputs go.

    Returns:
        The report. A missed gate raises nothing: see `passed` and `failures`.

    Raises:
        InputError: Arguments that are wrong or do not go together.
    """
    from ..benchmarks.parity import foreign_pair, stage
    from ..benchmarks.parity import rejudge as stored
    from ..benchmarks.parity.blaming.stage import blame_run
    from ..runtimes.own_aar import aar_runtime

    tolerances, named, targets, require = path_or_none(gates), list(runtimes), list(targets), list(require)
    if rejudge:
        assert run is not None  # the rules of `parity` say so
        return ParityReport(**vars(stored.rejudge(as_run(run), gates=tolerances)))
    with aar_runtime(path_or_none(aar), [*targets, *require]) as own:
        named = [*named, *own] if named else []
        if saved_model is not None and tflite is not None and inputs is not None:
            pair = Path(saved_model), Path(tflite), Path(inputs)
            folder = path_or_none(out)
            check = partial(foreign_pair.check_foreign, *pair, signature=signature, scores=scores, gates=tolerances)
            return ParityReport(**vars(check(runtimes=named, targets=targets, out=folder, blame=blame)))
        assert run is not None
        if blame:
            search = partial(blame_run, as_run(run), graphs=graphs, recipes=recipes, gates=tolerances)
            return ParityReport(**vars(search(runtimes=named, targets=targets)))
        cells = partial(stage.check_parity, as_run(run), runtimes=named, targets=targets, require=require)
        return ParityReport(**vars(cells(gates=tolerances, refresh_reference=refresh_reference, resume=resume)))


@checked
def latency(
    run: StrPath | Run | None = None,
    *,
    threads: Iterable[int] = (),
    items: Iterable[int] = (),
    dimension: int | None = None,
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    processes: int | None = None,
    samples: int | None = None,
    aar: StrPath | None = None,
    tflite: StrPath | None = None,
    inputs: StrPath | None = None,
    out: StrPath | None = None,
    served: bool = False,
    rtt_ms: float | None = None,
) -> LatencyReport:
    """Time every variant next to server-side BruteForce and ScaNN, and write `run`/reports/latency.json.

    For a file of another origin pass `tflite` in place of `run`.

    Args:
        run: A converted run, or its directory.
        threads: Numbers of threads; 1 and 2 when empty, with `items` 1.
        items: For a run: sizes to grow the catalogue to; measures retrieval only.
        dimension: With `items`: width to project the grown vectors to; the run's own when None.
        runtimes: Where to run the files (`pr.names("runtimes")`); those that apps ship when empty, on a phone Android's libraries.
        targets: Processors whose times mean something: `host`, which is taken when empty, and `adb`, a phone that is plugged in.
            Others are refused. What was measured on one of them stays when another is measured.
        processes: Processes that each case is measured in.
        samples: Timed calls per process.
        aar: An Android archive, such as the one your app ships: the TFLite library in it is timed, beside `runtimes`.
        tflite: A .tflite file of any origin.
        inputs: An .npz with one array per input of the file, axis 0 the queries; zeros when None.
        out: Where the file's latency.json and raw samples go.
        served: For a run: ask `pocketrec serve` over loopback too, at rising rates.
        rtt_ms: With `served`: a network's round trip in milliseconds, added in a column of its own.

    Returns:
        The report.

    Raises:
        InputError: Arguments that are wrong or do not go together.
        CheckFailed: Nothing could be measured, or a server failed. A single case that fails is in `failures`.
    """
    from ..benchmarks.catalogues.stage import measure_scaling
    from ..benchmarks.latency import stage
    from ..benchmarks.latency.options import PROCESSES, SAMPLES, LatencyOptions
    from ..runtimes.own_aar import aar_runtime

    counts = PROCESSES if processes is None else processes, SAMPLES if samples is None else samples
    targets = list(targets)
    with aar_runtime(path_or_none(aar), targets) as own:
        options = LatencyOptions(threads, [*runtimes, *own], *counts, targets=targets)
        if tflite is not None:
            return stage.measure_file(Path(tflite), options, inputs=path_or_none(inputs), out=path_or_none(out))
        assert run is not None  # the rules of `latency` say so
        if sizes := list(items):
            return measure_scaling(as_run(run), options, items=sizes, dimension=dimension)
        return stage.measure_run(as_run(run), options, served=served, rtt_ms=rtt_ms)


@checked
def report(run: StrPath | Run, *, baseline: StrPath | Run | None = None) -> Report:
    """Write report.html, report.md and junit.xml to `run`/reports, from the JSON there; nothing is measured.

    Args:
        run: A run with a parity.json, or its directory.
        baseline: An earlier run to mark regressions against.

    Returns:
        The files, and what got worse than in the baseline.

    Raises:
        InputError: Parity was not run, a file has another schema, or the baseline is the run itself.
    """
    from ..benchmarks.report.stage import write_report

    files, comparison = write_report(as_run(run), baseline=None if baseline is None else as_run(baseline))
    return Report(files, comparison)
