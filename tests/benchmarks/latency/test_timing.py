"""Rounds of forked workers."""

from pathlib import Path

import numpy as np
import pytest
from pocketrec.benchmarks.latency.cases import BenchmarkCase
from pocketrec.benchmarks.latency.timing import measured_row, time_cases
from pocketrec.core.records.latency import CaseFields
from pocketrec.runtimes.launch import Job, run_forked

WORKER = """
import json, os, sys, time, numpy as np
def prepare(spec): pass
def main(path):
    spec = json.loads(open(path).read())
    if spec['how'] == 'crash': print('on the way down', file=sys.stderr, flush=True); os.abort()
    if spec['how'] == 'hang': time.sleep(60)
    if spec['how'] == 'refuse': raise SystemExit('inputs: expected others')
    if spec['how'] == 'raise': raise ValueError('no such thing')
    if spec['how'] == 'second' and os.path.exists(spec['flag']): raise SystemExit('once only')
    if 'flag' in spec: open(spec['flag'], 'w').close()
    x = np.load(spec['inputs'])['x']
    meta = dict.fromkeys(['load_ns', 'allocate_ns', 'first_call_ns', 'rss_before_bytes', 'rss_after_bytes'], 2_000_000)
    meta['peak_rss_bytes'] = 7
    samples = np.full(spec.get('samples', 1), 5_000)
    np.savez(open(spec['outputs'], 'wb'), meta=np.array(json.dumps(meta)), x=2 * x, pid=np.array(os.getpid()), samples_ns=samples)
"""


@pytest.fixture
def job(tmp_path):
    """Makes a job of a worker that behaves as told."""
    (tmp_path / "worker.py").write_text(WORKER)
    inputs = {"x": np.arange(3)}
    return lambda how, **more: Job(str(tmp_path / "worker.py"), {"how": how, **more}, inputs, 3.0)


def case(label, job):
    return BenchmarkCase(label, CaseFields(subject="tflite", runtime="r"), job)


def test_forks_answer_as_processes_do_and_a_crash_hits_one_job_only(job):
    good, crash, hang, refuse, thrown, again = run_forked(
        [job(how) for how in ("", "crash", "hang", "refuse", "raise", "")], {}
    )
    assert good.arrays["x"].tolist() == again.arrays["x"].tolist() == [0, 2, 4]
    assert good.arrays["pid"] != again.arrays["pid"]
    assert crash.reason == "signal 6: on the way down" and hang.reason == "no answer within 3 s"
    assert refuse.reason == "exit status 1: inputs: expected others" and "ValueError: no such thing" in thrown.reason


def test_a_case_that_fails_is_not_tried_again_and_the_others_are_measured(job, tmp_path):
    cases = [
        case("good", job("")),
        case("bad", job("refuse")),
        case("late", job("second", flag=str(tmp_path / "flag"))),
    ]
    outcomes = time_cases(cases, 3, 4, warmup=1)
    assert [len(outcomes[label]) for label in ("good", "bad", "late")] == [3, 1, 2]
    assert all(outcomes["good"]) and not outcomes["bad"][-1] and not outcomes["late"][-1]
    assert len({int(outcome.arrays["pid"]) for outcome in outcomes["good"]}) == 3, "a process each"


def test_a_row_holds_the_medians_over_processes_and_its_samples_lie_beside(job, tmp_path):
    (outcomes,) = time_cases([case("one", job(""))], 2, 40, warmup=0).values()
    row = measured_row(case("one", job("")), outcomes, 0.5, tmp_path)
    assert (row.p50_us, row.n_samples, row.n_processes, row.recall_at_k) == (5.0, 80, 2, 0.5)
    assert (row.load_ms, row.allocate_ms, row.first_call_ms, row.peak_rss_bytes) == (4.0, 2.0, 2.0, 7)
    assert row.overhead_us is None, "this worker has no loop without the model"
    with np.load(tmp_path / str(row.samples_file)) as archive:
        assert archive["samples_ns"].shape == (2, 40)
    assert Path(str(row.samples_file)).parent == Path("samples")
