"""What is measured: cases, their names, and what they need."""

import numpy as np
import pytest
from pocketrec.benchmarks.latency import cases
from pocketrec.benchmarks.latency.cases import server_cases, variant_cases
from pocketrec.benchmarks.latency.latency_queries import latency_queries, recall_of
from pocketrec.benchmarks.latency.stage import results_per_call
from pocketrec.benchmarks.latency.timing import unmeasured_row
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.packing import rows_of
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.launch import Outcome
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES


@pytest.fixture(scope="module")
def queries(tiny):
    return latency_queries(HeldOut(Run(tiny)))


@pytest.fixture(scope="module")
def device(tiny, queries):
    return variant_cases(Run(tiny), Run(tiny).variants, PHONE_RUNTIMES, [1, 2], queries)


def test_labels_and_keys_are_unique(tiny, device, queries):
    found = [*device, *server_cases(Run(tiny), queries, 10, np.zeros((len(queries.queries), 4), np.float32))]
    assert len({case.label for case in found}) == len(found)
    assert len({unmeasured_row(case, "skipped", "x").key for case in found}) == len(found)


def test_timed_adds_the_counts_and_fewer_queries_are_a_prefix(device):
    case = device[0]
    job = case.timed(7, 3)
    assert (job.spec["mode"], job.spec["samples"], job.spec["warmup"]) == (
        "latency",
        7,
        3,
    ) and "mode" not in case.job.inputs
    name = next(name for name in case.job.inputs if not name.endswith(".offsets"))
    fewer = rows_of(case.on_first(2).job.inputs, name)
    assert len(fewer) == 2
    for left, right in zip(fewer, rows_of(case.job.inputs, name), strict=False):
        np.testing.assert_array_equal(left, right)


def test_rankers_score_as_many_candidates_as_they_say(device, queries):
    case = next(case for case in device if case.fields.graph == "ranker" and case.fields.batch_size == 10)
    assert {len(row) for row in rows_of(case.job.inputs, "items")} == {10}


def test_results_per_call_are_the_retrievers(tiny):
    variants = Run(tiny).variants
    wanted = next(v.outputs[0].shape[0] for v in variants if v.graph == "retriever")
    assert results_per_call(variants, 10_000) == wanted
    assert results_per_call([v for v in variants if v.graph == "ranker"], 7) == 7


def test_a_server_case_without_its_packages_says_what_to_install(tiny, queries, monkeypatch):
    monkeypatch.setattr(cases.util, "find_spec", lambda name: None if name == "scann" else object())
    found = server_cases(Run(tiny), queries, 10, np.zeros((1, 4), np.float32))
    assert all("scann" in case.missing() and "pocketrec[train]" in case.missing() for case in found)
    row = unmeasured_row(found[0], "skipped", found[0].missing())
    assert (row.status, row.n_samples, row.p50_us) == ("skipped", 0, None)


def test_recall_takes_positions_and_titles():
    exact, items = np.array([[0, 1], [2, 0]]), ["a", "b", "c"]
    positions = Outcome("", {"ids": np.array([[0, 2], [2, 0]])})
    titles = Outcome("", {"ids": np.array([b"a", b"c", b"c", b"a"]), "ids.offsets": np.array([0, 2, 4])})
    assert recall_of(positions, exact, items) == recall_of(titles, exact, items) == 0.75
