"""The stored answers of the SavedModels, and what they belong to."""

import json

import numpy as np
import pytest
from pocketrec.benchmarks.parity.reference import load_reference, reference_sources, references
from pocketrec.core.queries.edge_cases import NAMES_OF_0_1
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run

from tests.conftest import raises


@pytest.fixture(scope="module")
def both(tiny):
    data = HeldOut(Run(tiny))
    return references(load_reference(Run(tiny), data), data)


def test_best_items_are_those_of_the_highest_scores_that_were_not_seen(both):
    users, _ = both
    for row, query in enumerate(users.queries[:20]):
        unseen = np.setdiff1d(np.arange(users.n_items), query.seen)
        order = unseen[np.argsort(-users["scores"][row, unseen], kind="stable")]
        assert users.best(10)[row].tolist() == order[:10].tolist()


def test_the_cascade_orders_what_was_retrieved_by_score_and_rating(both):
    users, _ = both
    assert (np.sort(users.best(20), axis=1) == np.sort(users.best_ranked(20), axis=1)).all()
    final = np.take_along_axis(users.final, users.best_ranked(20), axis=1)
    assert (np.diff(final[np.isfinite(final).all(axis=1)], axis=1) <= 0).all()


def test_edge_cases_have_answers_of_their_own(both, tiny):
    users, edges = both
    assert len(edges.queries) == len(HeldOut(Run(tiny)).edges) and len(edges["query"]) == len(edges.queries)
    assert len(users["query"]) == len(users.queries)


def stamp(run, sources):
    """Store the answers again as if they had been made from something else."""
    path = run.reports / "reference.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "made_from": np.array(json.dumps(sources))})


def test_answers_stored_before_edge_cases_were_renamed_are_read(cut):
    run = cut("ranker")
    data = HeldOut(run)
    old = reference_sources(run, data, NAMES_OF_0_1)
    assert old != reference_sources(run, data) and set(NAMES_OF_0_1) < set(data.edges)
    stamp(run, old)
    assert "scores" in load_reference(run, data)


def test_answers_of_other_models_are_refused(cut):
    run = cut("ranker")
    data = HeldOut(run)
    stamp(run, {**reference_sources(run, data), "query": "0" * 64})
    with raises("INPUT_CHANGED"):
        load_reference(run, data)
