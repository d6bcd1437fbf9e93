"""Conversion of the demo's run."""

import numpy as np
import pytest
from pocketrec.convert.graphs import GRAPHS
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.convert.stage import convert_run
from pocketrec.core.errors import CheckFailed, InputError
from pocketrec.core.hashing import sha256_file
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.model_inputs import feeds_for
from pocketrec.core.run_dir import Run
from pocketrec.core.scoring import MASKED_BELOW, STARS_WEIGHT
from pocketrec.runtimes.launch import run_variant
from pocketrec.runtimes.model_file.reader import read_tflite
from pocketrec.runtimes.probing import try_out

from tests.conftest import refused


def variants(run):
    return {(row["graph"], row["recipe"]): row for row in Run(run).variants_json["variants"]}


@pytest.mark.parametrize("preset", ["pocket", "tutorial"])
def test_every_graph_of_a_preset_under_every_recipe_is_a_file_as_described(preset, request):
    run = request.getfixturevalue("run" if preset == "pocket" else "tutorial_run")
    rows = variants(run)
    offered = [graph for graph in GRAPHS if graph != "ranker_strings" or preset == "tutorial"]
    assert set(rows) == {(graph, recipe) for graph in offered for recipe in RECIPES}
    for row in rows.values():
        path = run / "converted" / row["file"]
        assert (path.stat().st_size, sha256_file(path)) == (row["size_bytes"], row["sha256"])
        assert (
            row["min_runtime"] and row["runs_on"] == ["tflite-runtime-2.14.0", "litert-2.3.0"] and not row["refusals"]
        )


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_variant_runs_on_both_runtimes_that_apps_ship(tutorial_run, graph):
    for recipe in RECIPES:
        tried = try_out(tutorial_run / "converted" / f"{graph}-{recipe}.tflite")
        assert tried == {"tflite-runtime-2.14.0": "", "litert-2.3.0": ""}


def test_least_runtime_never_promises_more_than_the_old_runtime_keeps(run, tutorial_run):
    """tflite-runtime 2.14.0 runs every file, and no label asks for more."""
    from pocketrec.runtimes.model_file.op_versions import order

    for row in [*variants(run).values(), *variants(tutorial_run).values()]:
        assert order(row["min_runtime"]) <= (2, 14, 0), row["file"]


def test_files_are_as_small_as_promised(run):
    size = {key: row["size_bytes"] for key, row in variants(run).items()}
    for recipe in ("dynamic_int8", "static_int8", "int16x8"):
        assert size["ranker", recipe] <= min(200_000, 0.30 * size["ranker", "float32"])
        assert size["retriever", recipe] <= 131_000
        assert size["recommender", recipe] <= 320_000
    assert size["ranker", "int4_rows"] <= 0.19 * size["ranker", "float32"]


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.is_quantized])
def test_quantized_files_keep_no_float_table_and_no_version_that_old_runtimes_refuse(run, recipe):
    for graph in ("ranker", "query_encoder", "retriever", "recommender"):
        row = variants(run)[graph, recipe]
        assert {trap["trap"] for trap in row["traps"]} <= {"reference-kernel"}, row["traps"]
        assert "float32" not in row["table_bytes"]
        assert not any(op["name"] == "FULLY_CONNECTED" and op["version"] >= 12 for op in row["ops"])


def test_no_recipe_dequantizes_a_whole_table_before_looking_rows_up(run, tutorial_run):
    for folder in (run, tutorial_run):
        for row in variants(folder).values():
            assert "whole-table-dequantize" not in {trap["trap"] for trap in row["traps"]}, row["file"]


def test_history_and_candidates_are_one_table(run):
    file = read_tflite(run / "converted" / "retriever-dynamic_int8.tflite")
    n_items, d = np.load(run / "trained" / "candidates.npy").shape
    assert [t.shape for t in file.tables() if t.n_bytes >= n_items * d] == [(n_items + 1, d)]


def test_id_keyed_files_carry_no_strings(run):
    for graph in ("ranker", "retriever"):
        assert b"Speed (1994)" not in (run / "converted" / f"{graph}-float32.tflite").read_bytes()


def test_string_graph_has_no_trap_but_its_strings(tutorial_run):
    traps = {trap["trap"] for trap in variants(tutorial_run)["ranker_strings", "dynamic_int8"]["traps"]}
    assert traps == {"string-table"}


def ask(run, file, names, query):
    data = HeldOut(Run(run))
    outcome = run_variant(run / "converted" / file, feeds_for(names, [query], data.catalogue), runtime="litert-2.3.0")
    assert outcome, outcome.reason
    return {name: value[0] for name, value in outcome.arrays.items()}


RETRIEVER = ["history", "preferences", "seen", "genres"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_retriever_masks_what_was_seen_and_what_has_none_of_the_genres(run, recipe):
    import dataclasses
    import json

    query = HeldOut(Run(run)).queries[3]
    items = json.loads((run / "trained" / "items.json").read_text())
    free = ask(run, f"retriever-{recipe}.tflite", RETRIEVER, query)
    assert not np.intersect1d(free["ids"], query.seen).size and (free["scores"] > MASKED_BELOW).all()
    for genres in (["Western"], ["Film-Noir", "Musical"]):
        narrowed = ask(run, f"retriever-{recipe}.tflite", RETRIEVER, dataclasses.replace(query, genres=genres))
        shown = narrowed["ids"][narrowed["scores"] > MASKED_BELOW]
        fitting = [i for i, item in enumerate(items) if {*item["genres"]} & {*genres} and i not in query.seen]
        assert len(shown) == min(100, len(fitting)) and {*shown} <= {*fitting}


def test_everything_asked_for_by_genre_is_as_if_nothing_was(run):
    import dataclasses

    data = HeldOut(Run(run))
    all_genres = dataclasses.replace(data.queries[3], genres=data.catalogue.genres)
    free, full = (ask(run, "retriever-float32.tflite", RETRIEVER, query) for query in (data.queries[3], all_genres))
    assert free["ids"].tolist() == full["ids"].tolist()


def test_recommender_is_the_retriever_then_the_ranker(run):
    import dataclasses

    query = HeldOut(Run(run)).queries[5]
    retrieved = ask(run, "retriever-float32.tflite", RETRIEVER, query)
    asked = dataclasses.replace(query, items=retrieved["ids"])
    stars = ask(run, "ranker-float32.tflite", ["history", "stars", "preferences", "items"], asked)["rating"]
    final = retrieved["scores"] + STARS_WEIGHT * stars
    order = np.argsort(-final, kind="stable")
    found = ask(run, "recommender-float32.tflite", [*RETRIEVER, "stars"], query)
    assert found["ids"].tolist() == retrieved["ids"][order].tolist()
    np.testing.assert_allclose(found["scores"], final[order], atol=1e-5)
    np.testing.assert_allclose(found["rating"], stars[order], atol=1e-5)


def test_query_encoder_and_candidates_make_the_retriever(run):
    query = HeldOut(Run(run)).queries[7]
    vector = ask(run, "query_encoder-float32.tflite", ["history", "preferences"], query)["query"]
    scores = (vector @ np.load(run / "trained" / "candidates.npy").T)[0]
    scores[query.seen] = -np.inf
    best = np.argsort(-scores, kind="stable")[:100]
    assert best.tolist() == ask(run, "retriever-float32.tflite", RETRIEVER, query)["ids"].tolist()


def test_representative_queries_hold_nothing_that_was_held_out(run):
    data = HeldOut(Run(run))
    assert data.representative[-len(data.edges) :] == list(data.edges.values())
    for query in data.representative[: -len(data.edges)]:
        mine = data.history.items_of(query.user)
        assert np.isin(query.items, mine).all() and np.isin(query.seen, mine).all()
        assert not np.intersect1d(query.items, data.truth.items_of(query.user)).size


def test_one_graph_one_recipe_and_k(own_run, pocketrec):
    done = pocketrec("convert", own_run, "--graph", "retriever", "--recipe", "float32", "--k", 7)
    assert done.code == 0, done.err
    (row,) = Run(own_run).variants_json["variants"]
    assert row["outputs"] == [
        {"name": "ids", "shape": [7], "dtype": "int32"},
        {"name": "scores", "shape": [7], "dtype": "float32"},
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "int3"], "one of float32, float16, dynamic_int8"),
        (["--graph", "rankr"], "did you mean ranker?"),
        (["--k", "1683"], "1 to 1682"),
        (["--k", "0"], "1 to 1682"),
        (["--graph", "ranker_strings"], "one of ranker, query_encoder, retriever, recommender"),
        (["--saved-model", "x", "--out", "y"], "leave one out"),
    ],
)
def test_bad_arguments_are_one_line_and_leave_the_run_alone(run, pocketrec, arguments, said):
    before = sha256_file(run / "converted" / "variants.json")
    assert said in refused(pocketrec("convert", run, *arguments))
    assert sha256_file(run / "converted" / "variants.json") == before


def test_a_file_that_does_not_run_fails_the_conversion_and_leaves_the_old_ones(own_run, monkeypatch):
    from pocketrec.convert import stage

    monkeypatch.setattr(stage, "try_out", lambda path: {"runtime": "planted"})
    before = (own_run / "converted" / "variants.json").read_bytes()
    with pytest.raises(CheckFailed, match=r"ranker-float32\.tflite: runtime: planted; nothing was written"):
        convert_run(Run(own_run), graphs=["ranker"], recipes=["float32"])
    assert (own_run / "converted" / "variants.json").read_bytes() == before
    assert not list(own_run.glob(".converted*"))


def test_a_float_table_in_a_quantized_file_fails_the_conversion(own_run, monkeypatch):
    from pocketrec.convert.quantize import quantizer

    monkeypatch.setattr(quantizer._Rewriting, "_form", lambda *arguments: None)
    with pytest.raises(CheckFailed, match=r"bytes of float32 in a quantized file.*nothing was written"):
        convert_run(Run(own_run), graphs=["ranker"], recipes=["dynamic_int8"])


def test_a_catalogue_of_one_item_is_one_line(pocketrec, tmp_path):
    (tmp_path / "one.csv").write_text("user,item,rating\na,x,5\nb,x,4\nc,x,3\n")
    assert "two items or more" in refused(pocketrec("train", "--data", tmp_path / "one.csv", "--out", tmp_path / "run"))


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
    assert variants(run)["retriever", "int4_rows"]["outputs"][0]["shape"] == [2]


def test_unknown_recipe_is_said_before_anything_slow():
    with pytest.raises(InputError, match="--recipe"):
        convert_run(Run.__new__(Run), graphs=["ranker"], recipes=["int3"])
