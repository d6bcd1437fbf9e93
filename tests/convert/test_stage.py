"""Conversion of a run: every graph under every recipe, what the files compute, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest
from pocketrec.convert.graphs import GRAPHS
from pocketrec.convert.quantize.recipes import RECIPES, Recipe
from pocketrec.convert.stage import convert_run
from pocketrec.core.documents import write_json
from pocketrec.core.files.hashing import sha256_file
from pocketrec.core.files.vocabulary_files import read_vocabulary
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.model_inputs import feeds_for
from pocketrec.core.run_dir import Run
from pocketrec.core.scoring import MASKED_BELOW, STARS_WEIGHT
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.model_file.op_versions import order
from pocketrec.runtimes.model_file.reader import read_tflite
from pocketrec.runtimes.probing import try_out
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES

from tests.conftest import raises


def variants(run):
    return {(variant.graph, variant.recipe): variant for variant in Run(run).variants}


def names_of(traps):
    return {trap.trap for trap in traps}


@pytest.mark.parametrize("preset", ["tiny", "tutorial_run"])
def test_every_graph_of_a_preset_under_every_recipe_is_a_file_as_described(preset, request):
    run = request.getfixturevalue(preset)
    rows = variants(run)
    assert set(rows) == {(graph, recipe) for graph in Run(run).record.graphs for recipe in RECIPES}
    for variant in rows.values():
        path = run / "converted" / variant.file
        assert (path.stat().st_size, sha256_file(path)) == (variant.size_bytes, variant.sha256)
        assert variant.runs_on == list(PHONE_RUNTIMES) and not variant.refusals
        # The oldest runtime runs every file, and no label asks for a newer one.
        assert order(variant.min_runtime) <= (2, 14, 0), variant.file
        assert "whole-table-dequantize" not in names_of(variant.traps), variant.file


@pytest.mark.full
@pytest.mark.parametrize("graph", GRAPHS)
def test_every_variant_runs_on_zeros_on_the_runtimes_that_apps_ship(tutorial_run, graph):
    for recipe in RECIPES:
        tried = try_out((tutorial_run / "converted" / f"{graph}-{recipe}.tflite").read_bytes())
        assert tried == dict.fromkeys(PHONE_RUNTIMES, "")


def test_files_are_as_small_as_promised(run):
    size = {key: variant.size_bytes for key, variant in variants(run).items()}
    for recipe in ("dynamic_int8", "static_int8", "int16x8"):
        assert size["ranker", recipe] <= min(200_000, 0.30 * size["ranker", "float32"])
        assert size["retriever", recipe] <= 128_000
        assert size["recommender", recipe] <= 264_000
    assert size["ranker", "int4_rows"] <= 0.19 * size["ranker", "float32"]


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.is_quantized])
def test_quantized_files_keep_no_float_table_and_no_version_that_old_runtimes_refuse(tiny, recipe):
    for graph in Run(tiny).record.graphs:
        variant = variants(tiny)[graph, recipe]
        assert names_of(variant.traps) <= {"reference-kernel"}, variant.traps
        assert variant.table_bytes.get("float32", 0) < 4096, variant.table_bytes
        assert not any(op.name == "FULLY_CONNECTED" and op.version >= 12 for op in variant.ops)


def test_history_and_candidates_are_one_table(tiny):
    file = read_tflite(tiny / "converted" / "retriever-dynamic_int8.tflite")
    n_items, d = np.load(tiny / "trained" / "candidates.npy").shape
    assert [t.shape for t in file.tables() if t.shape[-1:] == (d,) and t.shape[0] >= n_items] == [(n_items + 1, d)]


def test_id_keyed_files_carry_no_strings(tiny):
    title = read_vocabulary(tiny / "trained" / "vocabularies" / "items.txt")[0]
    for graph in ("ranker", "retriever"):
        assert title.encode() not in (tiny / "converted" / f"{graph}-float32.tflite").read_bytes()


def test_string_graph_has_no_trap_but_its_strings(tutorial_run):
    variant = variants(tutorial_run)["ranker_strings", "dynamic_int8"]
    assert names_of(variant.traps) == {"string-table"} and variant.table_bytes["string"] > 20_000


def ask(run, file, query):
    data, path = HeldOut(Run(run)), run / "converted" / file
    names = [port["name"] for port in read_tflite(path).ports()[0]]
    outcome = run_variant(path, feeds_for(names, [query], data.catalogue), runtime=CURRENT_RUNTIME)
    assert outcome, outcome.reason
    return {name: value[0] for name, value in outcome.arrays.items()}


@pytest.mark.parametrize("recipe", RECIPES)
def test_retriever_masks_what_was_seen_and_what_has_none_of_the_genres(tiny, recipe):
    query = HeldOut(Run(tiny)).queries[3]
    items = json.loads((tiny / "trained" / "items.json").read_text())
    free = ask(tiny, f"retriever-{recipe}.tflite", query)
    shown = free["ids"][free["scores"] > MASKED_BELOW]
    assert not np.intersect1d(shown, query.seen).size and len(shown) == min(
        len(free["ids"]), len(items) - len(np.unique(query.seen))
    )
    for genres in (["Western"], ["Action", "Musical"]):
        narrowed = ask(tiny, f"retriever-{recipe}.tflite", dataclasses.replace(query, genres=genres))
        shown = narrowed["ids"][narrowed["scores"] > MASKED_BELOW]
        fitting = [i for i, item in enumerate(items) if {*item["genres"]} & {*genres} and i not in query.seen]
        assert len(shown) == len(fitting) and {*shown} == {*fitting}


def test_everything_asked_for_by_genre_is_as_if_nothing_was(tiny):
    data = HeldOut(Run(tiny))
    all_genres = dataclasses.replace(data.queries[3], genres=data.catalogue.genres)
    free, full = (ask(tiny, "retriever-float32.tflite", query) for query in (data.queries[3], all_genres))
    assert free["ids"].tolist() == full["ids"].tolist()


def test_recommender_is_the_retriever_then_the_ranker(tiny):
    query = HeldOut(Run(tiny)).queries[5]
    retrieved = ask(tiny, "retriever-float32.tflite", query)
    ratings = ask(tiny, "ranker-float32.tflite", dataclasses.replace(query, items=retrieved["ids"]))["rating"]
    final = retrieved["scores"] + STARS_WEIGHT * ratings
    order = np.argsort(-final, kind="stable")
    found = ask(tiny, "recommender-float32.tflite", query)
    known = retrieved["scores"][order] > MASKED_BELOW
    assert found["ids"][known].tolist() == retrieved["ids"][order][known].tolist()
    np.testing.assert_allclose(found["scores"][known], final[order][known], atol=1e-5)
    np.testing.assert_allclose(found["rating"][known], ratings[order][known], atol=1e-5)


def test_query_encoder_and_candidates_make_the_retriever(tiny):
    query = HeldOut(Run(tiny)).queries[7]
    vector = ask(tiny, "query_encoder-float32.tflite", query)["query"]
    scores = (vector @ np.load(tiny / "trained" / "candidates.npy").T)[0]
    scores[query.seen] = -np.inf
    best = np.argsort(-scores, kind="stable")
    found = ask(tiny, "retriever-float32.tflite", query)
    known = found["scores"] > MASKED_BELOW
    assert best[: known.sum()].tolist() == found["ids"][known].tolist()


def test_representative_queries_hold_nothing_that_was_held_out(tiny):
    data = HeldOut(Run(tiny))
    assert data.representative[-len(data.edges) :] == list(data.edges.values())
    for query in data.representative[: -len(data.edges)]:
        mine = data.history.items_of(query.user)
        assert np.isin(query.items, mine).all() and np.isin(query.seen, mine).all()
        assert not np.intersect1d(query.items, data.truth.items_of(query.user)).size


def test_one_graph_one_recipe_and_k(own_tiny, pocketrec):
    done = pocketrec("convert", own_tiny, "--graph", "retriever", "--recipe", "float32", "--k", 7)
    assert done.code == 0, done.err
    (variant,) = Run(own_tiny).variants
    assert [port.to_json() for port in variant.outputs] == [
        {"name": "ids", "shape": [7], "dtype": "int32"},
        {"name": "scores", "shape": [7], "dtype": "float32"},
    ]


def test_the_result_is_the_document_on_disk(own_tiny):
    made = convert_run(Run(own_tiny), graphs=["query_encoder"], recipes=["float32", "dynamic_int8"])
    assert made == Run(own_tiny).variants_record
    assert [variant.recipe for variant in made.variants] == ["float32", "dynamic_int8"] and not made.unusable


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ({"recipes": ["int3"]}, "NAME_UNKNOWN", "int3"),
        ({"graphs": ["rankr"]}, "NAME_UNKNOWN", "ranker?"),
        ({"graphs": ["ranker_strings"]}, "NAME_UNKNOWN", "query_encoder"),
        ({"k": 0}, "VALUE_OUT_OF_RANGE", "--k"),
        ({"k": 10**6}, "VALUE_OUT_OF_RANGE", "--k"),
        ({"form": "cells"}, "NAME_UNKNOWN", "partitioned"),
        ({"form": "full_scan_float32"}, "NAME_UNKNOWN", "full_scan"),
        ({"form": "two_stage", "graphs": ["ranker"]}, "OPTION_CONFLICT", "retriever"),
        ({"form": "two_stage", "recipes": ["float32"]}, "OPTION_CONFLICT", "dynamic_int8"),
    ],
)
def test_bad_arguments_are_refused_and_leave_the_run_alone(tiny, arguments, code, said):
    before = sha256_file(tiny / "converted" / "variants.json")
    with raises(code) as caught:
        convert_run(Run(tiny), **arguments)
    assert said in str(caught.value)
    assert sha256_file(tiny / "converted" / "variants.json") == before and not list(tiny.glob(".converted*"))


def test_an_unknown_recipe_is_refused_before_anything_slow():
    with raises("NAME_UNKNOWN"):
        convert_run(Run.__new__(Run), graphs=["ranker"], recipes=["int3"])


def test_a_file_that_does_not_run_fails_the_conversion_and_leaves_the_old_ones(own_tiny, monkeypatch):
    from pocketrec.convert import graph_conversion

    monkeypatch.setattr(graph_conversion, "try_out", lambda data, feeds: {"runtime": "planted"})
    before = (own_tiny / "converted" / "variants.json").read_bytes()
    with raises("RUNTIME_FAILED") as caught:
        convert_run(Run(own_tiny), graphs=["ranker"], recipes=["float32"])
    assert "ranker-float32.tflite: runtime: planted" in str(caught.value)
    assert (own_tiny / "converted" / "variants.json").read_bytes() == before
    assert not list(own_tiny.glob(".converted*"))


def test_a_file_is_tried_out_on_representative_inputs(own_tiny, monkeypatch):
    from pocketrec.convert import graph_conversion

    fed = []
    monkeypatch.setattr(graph_conversion, "try_out", lambda data, feeds: fed.append(feeds) or {})
    convert_run(Run(own_tiny), graphs=["query_encoder"], recipes=["float32"])
    assert fed[0]["history"].any()


@pytest.mark.full
def test_a_float_table_in_a_quantized_file_fails_the_conversion(own_tiny, monkeypatch):
    from pocketrec.convert.quantize import quantizer

    monkeypatch.setattr(quantizer._Rewriter, "_form", lambda *arguments: None)
    with raises("CONVERSION_FAILED"):
        convert_run(Run(own_tiny), graphs=["ranker"], recipes=["dynamic_int8"])


def test_a_file_that_was_not_quantized_at_all_fails_the_conversion(own_tiny, monkeypatch):
    """Nothing in it is narrow, so that the file alone does not show that it should be."""
    from pocketrec.convert.quantize import quantizer

    monkeypatch.setattr(quantizer, "apply_recipe", lambda prepared, *arguments: prepared)
    with raises("CONVERSION_FAILED"):
        convert_run(Run(own_tiny), graphs=["ranker"], recipes=["dynamic_int8"])


def test_a_new_recipe_and_a_new_graph_are_one_entry_each(own_tiny, monkeypatch):
    """A toy of either kind, converted and described without another change."""
    monkeypatch.setitem(RECIPES, "toy", Recipe("float32 rows, int8 layers", "float32", "int8"))
    monkeypatch.setitem(GRAPHS, "query_twin", dataclasses.replace(GRAPHS["query_encoder"], summary="a toy"))
    record = Run(own_tiny).record
    more = dataclasses.replace(record, graphs=[*record.graphs, "query_twin"])
    write_json(own_tiny / "trained" / "run.json", more.to_json())
    made = convert_run(Run(own_tiny), graphs=["ranker", "query_twin"], recipes=["toy"])
    assert [variant.file for variant in made.variants] == ["ranker-toy.tflite", "query_twin-toy.tflite"]
    assert all(variant.runs_on == list(PHONE_RUNTIMES) and not variant.traps for variant in made.variants)
    assert "float32" in made.variants[1].table_bytes


@pytest.mark.full
def test_a_catalogue_of_two_items_converts_under_every_recipe(pocketrec, tmp_path):
    rows = [
        f"{user},{item},{1 + (user + number) % 5},{number}" for user in range(8) for number, item in enumerate("xy")
    ]
    (tmp_path / "two.csv").write_text("\n".join(["user,item,rating,timestamp", *rows]) + "\n")
    run = tmp_path / "run"
    for arguments in (
        ["train", "--data", tmp_path / "two.csv", "--split", "leave-last-out", "--out", run],
        ["convert", run],
        ["parity", run],
    ):
        done = pocketrec(*arguments)
        assert done.code == 0, done.out + done.err
    assert variants(run)["retriever", "int4_rows"].outputs[0].shape == [2]
