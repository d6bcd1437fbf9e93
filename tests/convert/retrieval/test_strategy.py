"""A run's retriever in every form that `convert` offers: the same ports, masks and gates, and by default the same bytes."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.convert.retrieval.strategy import CHOICES, chosen_form
from pocketrec.convert.stage import convert_run
from pocketrec.core.files.hashing import sha256_file
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.model_inputs import feeds_for
from pocketrec.core.run_dir import Run
from pocketrec.core.scoring import MASKED, MASKED_BELOW
from pocketrec.runtimes.inspection import inspect_model
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES

DRAWN = ("two_stage", "partitioned")
FILE = "retriever-dynamic_int8.tflite"


def converted(source, folder, form, **more):
    """A run of what was trained, with the retriever in that form."""
    for part in ("trained", "reports"):
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part)
    run = Run(folder)
    convert_run(run, graphs=["retriever"], recipes=["dynamic_int8"], form=form, **more)
    return run


@pytest.fixture(scope="module")
def runs(run, tmp_path_factory):
    """The demo's retriever under no form, and under each by name."""
    folder = tmp_path_factory.mktemp("forms")
    return {form: converted(run, folder / str(form), form) for form in (None, *CHOICES)}


def ask(run, queries, runtime):
    data = HeldOut(run)
    (row,) = run.variants
    feeds = feeds_for([port.name for port in row.inputs], queries, data.catalogue)
    outcome = run_variant(run.converted / FILE, feeds, runtime=runtime)
    assert outcome, outcome.reason
    return outcome.arrays["ids"], outcome.arrays["scores"]


def share(found, wanted):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, wanted, strict=True)])


def test_a_small_catalogue_keeps_its_full_scan_byte_for_byte(runs):
    assert sha256_file(runs[None].converted / FILE) == sha256_file(runs["full_scan"].converted / FILE)
    (row,) = runs[None].variants
    assert (row.form, row.settings) == ("full_scan", {})


@pytest.mark.parametrize("form", DRAWN)
def test_forms_have_the_retrievers_ports_and_say_what_they_are(runs, form):
    (row,), (scan,) = (runs[name].variants for name in (form, "full_scan"))
    by_name = lambda ports: sorted(ports, key=lambda port: port.name)  # noqa: E731
    assert by_name(row.inputs) == by_name(scan.inputs) and by_name(row.outputs) == by_name(scan.outputs)
    assert row.settings.get("cells_read", 0) < row.settings.get("n_cells", 1) * 0.6
    assert row.form == form and all(value > 0 for value in row.settings.values()) and row.settings
    assert row.runs_on == list(PHONE_RUNTIMES) and not row.traps
    assert tuple(map(int, row.min_runtime.split("."))) <= (2, 14, 0)
    found = inspect_model(runs[form].converted / FILE).to_json()
    assert found["sha256"] == row.sha256 and {table["dtype"] for table in found["tables"]} >= {"int8", "float16"}


@pytest.mark.parametrize("form", DRAWN)
def test_forms_pass_the_retrievers_gates_and_edges(runs, form):
    for row in check_parity(runs[form], runtimes=PHONE_RUNTIMES).to_json()["results"]:
        assert row["status"] == "pass", row["reason"]
        assert row["metrics"]["top_k_overlap"] >= 0.96 and row["metrics"]["seen_returned"] == 0
        assert len(row["edges"]) == 8


@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
@pytest.mark.parametrize("form", DRAWN)
def test_forms_find_what_the_full_scan_finds(runs, form, runtime):
    queries = HeldOut(runs[form]).queries[::10]
    ids, scores = ask(runs[form], queries, runtime)
    expected, values = ask(runs["full_scan"], queries, runtime)
    assert (np.diff(scores, axis=1) <= 0).all() and all(len(np.unique(row)) == 100 for row in ids)
    # Other codes, so films at the edge of the list may change; each list's own scores are as close as two roundings are.
    assert share(ids, expected) >= 0.98
    assert np.abs(scores[:, 0] - values[:, 0]).max() < 0.1


@pytest.mark.parametrize("runtime", PHONE_RUNTIMES)
@pytest.mark.parametrize("form", DRAWN)
def test_forms_mask_what_was_seen_and_what_has_none_of_the_genres(runs, run, form, runtime):
    items = json.loads((run / "trained" / "items.json").read_text())
    for genres in (["Western"], ["Film-Noir", "Musical"], ["Drama"]):
        queries = [dataclasses.replace(query, genres=genres) for query in HeldOut(runs[form]).queries[::40]]
        expected, _ = ask(runs["full_scan"], queries, runtime)
        ids, scores = ask(runs[form], queries, runtime)
        has = np.array([bool({*item["genres"]} & {*genres}) for item in items])
        found: list[float] = []
        for query, row, values, wanted in zip(queries, ids, scores, expected, strict=True):
            shown, allowed = row[values > MASKED_BELOW], has.copy()
            allowed[query.seen] = False
            assert allowed[shown].all() and len(np.unique(shown)) == len(shown)
            assert (values[len(shown) :] == MASKED).all() and row.min() >= 0 and row.max() < len(items)
            fitting = wanted[: min(100, allowed.sum())]
            assert form != "two_stage" or len(shown) == len(fitting)
            found.append(len(np.intersect1d(shown, fitting)) / len(fitting))
        # What cells promise is recall over users, as the gate has it; a single user may have less.
        assert np.mean(found) >= 0.95 and min(found) >= 0.8


@pytest.mark.parametrize("form", DRAWN)
def test_who_has_seen_everything_gets_nothing_and_who_has_seen_most_gets_the_rest(runs, form):
    data = HeldOut(runs[form])
    everything = np.arange(len(data.items), dtype=np.int32)
    heaviest = data.query(int(np.argmax(np.diff(data.history.offsets))))
    queries = [dataclasses.replace(heaviest, seen=everything, stars=np.ones(len(everything), np.float32)), heaviest]
    for runtime in PHONE_RUNTIMES:
        ids, scores = ask(runs[form], queries, runtime)
        assert (scores[0] == MASKED).all() and ids.min() >= 0 and ids.max() < len(everything)
        assert (scores[1] > MASKED_BELOW).all() and not np.intersect1d(ids[1], heaviest.seen).size


@pytest.mark.parametrize("form", DRAWN)
def test_forms_serve_users_known_by_id_and_small_lists(tutorial_run, tmp_path, form):
    made = converted(tutorial_run, tmp_path / "run", form, k=7)
    (row,) = made.variants
    assert row.form == form and {port.name for port in row.inputs} >= {"user", "seen"}
    queries = HeldOut(made).queries[::50]
    for runtime in PHONE_RUNTIMES:
        ids, scores = ask(made, queries, runtime)
        assert ids.shape == (len(queries), 7) and (scores > MASKED_BELOW).all()
        assert not any(np.intersect1d(row, query.seen).size for row, query in zip(ids, queries, strict=True))


def test_cells_that_hold_nothing_of_a_genre_are_not_read(runs, run, tmp_path, monkeypatch):
    """Without it a rare genre comes back in shreds: the reason for `MaskBuilder.cells`."""
    from pocketrec.convert.retrieval.masks import MaskBuilder

    queries = [dataclasses.replace(query, genres=["Western"]) for query in HeldOut(runs[None]).queries[::40]]
    kept = (ask(runs["partitioned"], queries, CURRENT_RUNTIME)[1] > MASKED_BELOW).sum()
    monkeypatch.setattr(MaskBuilder, "cells", lambda *arguments: None)
    lost = (ask(converted(run, tmp_path / "run", "partitioned"), queries, CURRENT_RUNTIME)[1] > MASKED_BELOW).sum()
    assert lost < 0.7 * kept


def test_masks_make_more_cells_be_read(runs):
    """Who has seen the best cells' items still gets a full list, so training histories' masks decide how many are read."""
    from pocketrec.convert.retrieval.catalogue_index import CatalogueIndex

    rng = np.random.default_rng(0)
    items, queries = rng.normal(size=(2_000, 8)).astype(np.float32), rng.normal(size=(80, 8)).astype(np.float32)
    masked = np.argsort(np.argsort(-(queries @ items.T), axis=1), axis=1) < 150
    free, busy = CatalogueIndex(items, queries, 20), CatalogueIndex(items, queries, 20, masked=masked)
    assert busy.cells_read > free.cells_read
    assert busy.cells_read * busy.partition.members.shape[1] >= 20 + 150
    masked[0] = True
    everything = CatalogueIndex(items, queries, 20, masked=masked)
    assert everything.cells_read <= busy.cells_read + 1, "who has seen everything can be given nothing"


def test_size_decides_where_nobody_does():
    sizes = {1_682: "full_scan", 15_000: "two_stage", 30_000: "partitioned"}
    for n_items, form in sizes.items():
        assert chosen_form(None, ["ranker"], ["float32"], n_items) == form


@pytest.mark.full
@pytest.mark.parametrize("form", DRAWN)
def test_forms_of_a_small_run_find_what_the_full_scan_finds(tiny, tmp_path, form):
    made, scan = converted(tiny, tmp_path / "run", form, k=5), converted(tiny, tmp_path / "scan", "full_scan", k=5)
    (variant,) = made.variants
    assert variant.form == form and variant.settings and variant.runs_on == list(PHONE_RUNTIMES)
    queries = HeldOut(made).queries[:20]
    ids, scores = ask(made, queries, CURRENT_RUNTIME)
    expected, _ = ask(scan, queries, CURRENT_RUNTIME)
    assert (np.diff(scores, axis=1) <= 0).all() and share(ids, expected) >= 0.9
    assert not any(np.intersect1d(row, query.seen).size for row, query in zip(ids, queries, strict=True))
