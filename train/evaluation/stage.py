"""The evaluation stage: the finished models of a run, and baselines, on what the run held out; RUN/reports/evaluation.json out.

It stands in `train`, beside the baselines it fits and above the presets: what `train` writes into run.json and what is written
here come from the same functions (core/metrics.py).
"""

import logging
import time
from dataclasses import replace

import numpy as np

from ...core.documents import EVALUATION_SCHEMA, document_head, write_json
from ...core.errors import InputError
from ...core.files.hashing import sha256_file
from ...core.intervals import BOOTSTRAP_SEED, RESAMPLES
from ...core.records.evaluation import EvaluatedModel, Evaluation, Protocol, best_models
from ...core.run_dir import Run
from ...runtimes.runtimes import runtime_packages
from ..baselines.evaluation import FittedBaseline, fitted_baselines
from ..run_files import Parts
from .contestants import BaselineContestant, Contestant, RunContestant
from .doubts import doubts
from .measures import Held, Measured, measure
from .run_parts import read_parts

log = logging.getLogger(__name__)

USERS_SEED = 0


def evaluate_run(run: Run, *, baselines: bool = False, users: int | None = None) -> Evaluation:
    """Measure the finished models, which stay as they are, and write reports/evaluation.json.

    The document is written when the run's own models are measured, and again after each baseline: interrupting the command
    loses the model it was at.

    Args:
        run: a finished run.
        baselines: also fit the baselines on the training part and measure them by the same code.
        users: how many of the users with something held out to evaluate, drawn with a fixed seed; all when None.

    Raises:
        InputError: files of the run are missing or were changed, `users` is below 1, or TensorFlow is not installed.
    """
    if users is not None and users < 1:
        raise InputError("--users", expected="1 or more", given=users, do="choose another", code="VALUE_OUT_OF_RANGE")
    parts = read_parts(run)
    held = Held(parts.train, parts.test, _chosen(parts, users))
    record = run.record
    log.info(f"evaluating {record.preset} on {len(held.users):,} users")
    row = EvaluatedModel(model=record.preset, is_baseline=False, fit_s=record.train_s)
    row, own = _measured(row, RunContestant(run), held)
    document = _document(run, held, parts, row)
    _write(run, document)
    for each in fitted_baselines(parts.train) if baselines else ():
        models = [*document.models, _baseline(each, held, own)]
        document = replace(document, models=models, best=best_models(models))
        _write(run, document)
    return document


def _chosen(parts: Parts, users: int | None) -> np.ndarray:
    """int64[n]: users with something held out, in order; a sample where there are more than asked for."""
    able = np.unique(parts.test.user).astype(np.int64)
    if users is None or users >= len(able):
        return able
    return np.sort(np.random.default_rng(USERS_SEED).choice(able, users, replace=False))


def _measured(
    row: EvaluatedModel, contestant: Contestant, held: Held, rival: Measured | None = None
) -> tuple[EvaluatedModel, Measured]:
    started = time.perf_counter()
    found = measure(contestant, held, rival)
    return replace(row, evaluate_s=round(time.perf_counter() - started, 3), **found.fields), found


def _baseline(each: FittedBaseline, held: Held, own: Measured) -> EvaluatedModel:
    row = EvaluatedModel(
        model=each.name, is_baseline=True, source=each.source, skipped=each.skipped, fit_s=round(each.seconds, 3)
    )
    return row if each.skipped else _measured(row, BaselineContestant(each), held, own)[0]


def _document(run: Run, held: Held, parts: Parts, own: EvaluatedModel) -> Evaluation:
    record, able = run.record, len(np.unique(parts.test.user))
    return Evaluation(
        **document_head(EVALUATION_SCHEMA, sha256_file(run.trained / "run.json"), runtime_packages()),
        protocol=Protocol(
            split=record.split,
            seed=record.seed,
            train_events=len(parts.train),
            test_events=len(parts.test),
            items=held.n_items,
            held_out_users=able,
            users=len(held.users),
            users_seed=None if len(held.users) == able else USERS_SEED,
            bootstrap_resamples=RESAMPLES,
            bootstrap_seed=BOOTSTRAP_SEED,
        ),
        warnings=doubts(parts, len(held.users)),
        models=[own],
    )


def _write(run: Run, document: Evaluation) -> None:
    write_json(run.reports / "evaluation.json", document.to_json())
