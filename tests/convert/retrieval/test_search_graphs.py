"""Retrieval over a grown catalogue: every form on both runtimes against brute force."""

import numpy as np
import pytest
from pocketrec.benchmarks.catalogues.synthetic_catalogue import fit_mixture, grow
from pocketrec.convert.retrieval.catalogue_index import CatalogueIndex, exact_best
from pocketrec.convert.retrieval.partitioning import (
    balanced_assignment,
    divide,
    learned_centroids,
    number_of_cells,
    weighted_space,
)
from pocketrec.convert.retrieval.search_graphs import FORMS, form_for
from pocketrec.core.errors import InputError
from pocketrec.runtimes.inspection import find_traps
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.model_file.reader import read_tflite
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES

K = 100


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """5,000 grown items, queries to set up with and others to ask, and every form as a file."""
    folder = tmp_path_factory.mktemp("scan")
    items = grow(fit_mixture(np.load(run / "trained" / "candidates.npy")), 5_000, folder / "items.npy")
    with np.load(run / "reports" / "reference.npz") as archive:
        vectors = archive["query"]
    asked = np.arange(len(vectors)) % 10 == 0
    scanned = CatalogueIndex(items, vectors[~asked], K)
    for name, form in FORMS.items():
        (folder / f"{name}.tflite").write_bytes(form.build(scanned))
    return folder, scanned, vectors[asked]


def answers(file, queries, runtime):
    outcome = run_variant(file, {"query": queries[:, None, :]}, runtime=runtime)
    assert outcome, outcome.reason
    return outcome.arrays["ids"], outcome.arrays["scores"]


def recall(ids, exact):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(ids, exact, strict=True)])


@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
@pytest.mark.parametrize("name", FORMS)
def test_form_finds_what_brute_force_finds(made, name, runtime):
    folder, scanned, queries = made
    ids, scores = answers(folder / f"{name}.tflite", queries, runtime)
    exact = exact_best(scanned.items, queries, K)
    truth = queries @ np.asarray(scanned.items).T
    assert ids.shape == (len(queries), K) and (np.diff(scores, axis=1) <= 0).all()
    assert all(len(np.unique(row)) == K for row in ids) and ids.min() >= 0 and ids.max() < len(scanned.items)
    found = np.take_along_axis(truth, ids.astype(np.int64), 1)
    if FORMS[name].is_exact:
        least = np.take_along_axis(truth, exact[:, -1:], 1)
        assert (found >= least - 1e-4).all(), "only ties with the last may stand in for another"
        np.testing.assert_allclose(scores, found, atol=1e-4)
    assert recall(ids, exact) >= (0.95 if name == "partitioned" else 0.985)
    # A row keeps 8 bits and so does a query: 2% of the largest score is several standard deviations.
    assert np.abs(scores - found).max() < 0.02 * np.abs(truth).max()


@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
def test_two_stage_top_k_is_the_full_scans(made, runtime):
    folder, _, queries = made
    ids, scores = answers(folder / "full_scan.tflite", queries, runtime)
    ids_two, scores_two = answers(folder / "two_stage.tflite", queries, runtime)
    np.testing.assert_allclose(scores, scores_two, atol=1e-5)
    for one, other, values in zip(ids, ids_two, scores, strict=True):
        differ = np.setxor1d(one, other)
        tied = np.isin(one, differ) | np.isin(other, differ)
        assert np.abs(values[tied] - values[-1]).max(initial=0) < 1e-5


@pytest.mark.parametrize("name", FORMS)
def test_files_hold_built_in_operators_that_old_runtimes_know(made, name):
    file = read_tflite(made[0] / f"{name}.tflite")
    assert tuple(map(int, file.min_runtime.split("."))) <= (2, 14, 0)
    kinds = {trap.trap for trap in find_traps(file)} - {"breaks-delegation"}
    assert kinds <= {"float-table"}, kinds
    inputs, outputs = file.ports()
    assert [p["name"] for p in inputs] == ["query"] and [p["name"] for p in outputs] == ["ids", "scores"]


@pytest.mark.parametrize(("n_items", "k"), [(4_999, 100), (150, 100), (100, 100), (1_009, 1), (700, 650)])
def test_sizes_that_nothing_divides(made, tmp_path, n_items, k):
    _, whole, queries = made
    scanned = CatalogueIndex(np.array(whole.items[:n_items]), whole.queries, k)
    exact = exact_best(scanned.items, queries, k)
    for name, form in FORMS.items():
        (tmp_path / f"{name}.tflite").write_bytes(form.build(scanned))
        for runtime in PHONE_RUNTIMES:
            ids, _ = answers(tmp_path / f"{name}.tflite", queries, runtime)
            assert ids.min() >= 0 and ids.max() < n_items, (name, runtime)
            assert all(len(np.unique(row)) == k for row in ids), (name, runtime)
            assert recall(ids, exact) >= (0.93 if name == "partitioned" else 0.95), (name, runtime)


def test_same_seed_gives_the_same_bytes(made):
    folder, scanned, _ = made
    again = CatalogueIndex(np.array(scanned.items), scanned.queries, K)
    assert FORMS["partitioned"].build(again) == (folder / "partitioned.tflite").read_bytes()


def test_cells_hold_every_item_once_and_are_of_one_size(made):
    _, scanned, _ = made
    for n, cells in ((5_000, 250), (4_999, 128), (40, 7)):
        members = divide(np.asarray(scanned.items[:n]), scanned.queries, cells).members
        ids = members[members >= 0]
        assert members.shape == (cells, -(-n // cells)) and sorted(ids) == list(range(n))


def test_full_cells_turn_away_those_who_lose_least():
    points = np.array([[0.0], [0.1], [0.2], [0.9], [5.0]], np.float32)
    cells = balanced_assignment(points, np.array([[0.0], [1.0], [6.0]], np.float32), 2)
    assert np.bincount(cells, minlength=3).max() == 2
    assert cells.tolist() == [0, 0, 1, 1, 2]


def test_what_is_known_of_queries_finds_more_in_fewer_cells(made):
    """Cells of plain k-means, or means as centroids, find less: the reason for the weighted space and the regression."""
    _, scanned, queries = made
    exact, cells = exact_best(scanned.items, queries, K), scanned.partition.members
    # With queries of one length in every direction the weighted space is the plain one.
    plain = divide(np.asarray(scanned.items), np.eye(scanned.items.shape[1], dtype=np.float32), len(cells)).members

    def found(members, centroids):
        best = np.argsort(-(queries @ centroids.T), axis=1)[:, :15]
        return np.mean([np.isin(ids, members[read]).mean() for ids, read in zip(exact, best, strict=True)])

    means = np.stack([scanned.items[row[row >= 0]].mean(axis=0) for row in cells])
    known = found(cells, scanned.partition.centroids)
    assert known > found(cells, means) + 0.01
    assert known > found(plain, learned_centroids(scanned.items, plain, scanned.queries)) + 0.01


def test_weighted_space_keeps_products(made):
    _, scanned, queries = made
    for_items, for_queries = weighted_space(scanned.queries)
    items = np.asarray(scanned.items[:500])
    np.testing.assert_allclose((queries @ for_queries) @ (items @ for_items).T, queries @ items.T, atol=2e-3)


def test_number_of_cells_divides_the_catalogue_where_it_can():
    assert [number_of_cells(n) for n in (1, 10_000, 100_000, 1_000_000)] == [1, 400, 1_000, 2_000]
    assert 100 < number_of_cells(4_999) < 300


def test_form_is_chosen_by_size():
    assert [form_for(n) for n in (1_682, 15_000, 100_000, 1_000_000)] == [
        "full_scan",
        "two_stage",
        "partitioned",
        "partitioned",
    ]


def test_exact_best_reads_blocks_as_one(monkeypatch, made):
    from pocketrec.convert.retrieval import catalogue_index as module

    _, scanned, queries = made
    whole = np.argsort(-(queries @ np.asarray(scanned.items).T), axis=1, kind="stable")[:, :K]
    monkeypatch.setattr(module, "_BLOCK", 64)
    assert recall(exact_best(scanned.items, queries, K), whole) == 1.0


@pytest.mark.parametrize("name", ["two_stage", "partitioned"])
@pytest.mark.parametrize("recipe", ["float32", "dynamic_int8"])
def test_behind_an_encoder_history_goes_in_and_the_same_items_come_out(made, run, tmp_path, name, recipe):
    from pocketrec.core.queries.held_out import HeldOut
    from pocketrec.core.queries.model_inputs import feeds_for
    from pocketrec.core.run_dir import open_run

    folder, scanned, _ = made
    encoder, whole = run / "converted" / f"query_encoder-{recipe}.tflite", tmp_path / "whole.tflite"
    whole.write_bytes(FORMS[name].build(scanned, encoder.read_bytes()))
    data = HeldOut(open_run(run))
    ports, _ = read_tflite(whole).ports()
    assert ports == read_tflite(encoder).ports()[0]
    feeds = feeds_for([port["name"] for port in ports], data.queries[:20], data.catalogue)
    for runtime in PHONE_RUNTIMES:
        vectors = run_variant(encoder, feeds, runtime=runtime).arrays["query"].reshape(20, -1)
        ids, scores = answers(folder / f"{name}.tflite", vectors, runtime)
        outcome = run_variant(whole, feeds, runtime=runtime)
        assert outcome, outcome.reason
        np.testing.assert_allclose(outcome.arrays["scores"], scores, atol=1e-4)
        assert recall(outcome.arrays["ids"], ids) > 0.999


def test_encoder_of_another_width_is_refused(made, run):
    scanned = made[1]
    narrow = CatalogueIndex(np.array(scanned.items[:500, :16]), scanned.queries[:, :16], 10)
    encoder = (run / "converted" / "query_encoder-float32.tflite").read_bytes()
    with pytest.raises(InputError, match="an output query"):
        FORMS["full_scan"].build(narrow, encoder)
