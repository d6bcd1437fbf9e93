"""Dislikes, and why an item was recommended: from bundles of every layout, and from runs."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pocketrec.android_assets.answering.bundle import Bundle
from pocketrec.android_assets.reading.verify import open_bundle
from pocketrec.android_assets.writing.options import BundleOptions
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.core.queries.recommendation import Request
from pocketrec.core.run_dir import Run

import pocketrec as pr
from tests.android_assets.asking import recommend
from tests.conftest import raises

LAYOUTS = ("cascade", "pair", "split")
# Parts add up to the score within this, which is float32 rounding of a float32 model's scores.
FLOAT = 2e-6


def parts(item):
    """All parts of a score but the remainder."""
    why = item.why
    return sum(one.contribution for one in why.items) + why.others + why.preferences + why.popularity + why.rating


@pytest.fixture(scope="module")
def bundles(tiny, tmp_path_factory):
    """A bundle of each layout, of float32 models."""
    folder = tmp_path_factory.mktemp("bundles")
    for layout in LAYOUTS:
        write_bundle(Run(tiny), folder / layout, BundleOptions(layout=layout, recipe="float32"))
    return {layout: folder / layout for layout in LAYOUTS}


@pytest.fixture(scope="module")
def places(tiny, bundles):
    return [*bundles.values(), tiny]


def blind(bundle: Path) -> Bundle:
    """A bundle as version 0.1.0 wrote it: its manifest says nothing of how a history is weighed."""
    opened = open_bundle(bundle)
    return Bundle(opened.folder, replace(opened.manifest, history_weights=None))


@pytest.fixture(scope="module")
def titles(tiny):
    return [item["title"] for item in json.loads((tiny / "trained" / "items.json").read_text())]


def test_a_dislike_is_an_item_of_the_history_that_is_rated_lowest(places, titles):
    for where in places:
        apart = recommend(where, history=[titles[3]], dislike=[titles[5]], top=20)
        rated = recommend(where, history=[f"{titles[5]}=1", titles[3]], top=20)
        assert [item.id for item in apart] == [item.id for item in rated] and apart.notes == []


@pytest.mark.full
def test_a_dislike_pushes_away_what_is_alike(places, titles):
    """The items that the disliked one would bring are further down than without it, beside a history and alone."""
    for where in places:
        alike = [item.id for item in recommend(where, history=[titles[5]], top=10)]
        for history in ([], [titles[3], titles[8]]):
            some = history or None
            plain = recommend(where, history=some or (), prefer=["Sci-Fi"], top=100)
            less = recommend(where, history=some or (), prefer=["Sci-Fi"], dislike=[titles[5]], top=100)
            before, after = (
                np.mean([ids.index(one) if one in ids else 100 for one in alike])
                for ids in ([item.id for item in answer] for answer in (plain, less))
            )
            assert after > before, (where, history)


@pytest.mark.full
def test_with_all_of_the_history_disliked_there_is_still_a_sensible_list(places, titles):
    history = [titles[place] for place in (2, 5, 9)]
    for where in places:
        refused = recommend(where, history=history, dislike=history, top=10)
        alone = recommend(where, dislike=history, top=10)
        assert [item.id for item in refused] == [item.id for item in alone] and len(alone) == 10
        assert {*history}.isdisjoint(item.title for item in alone)
        liked = recommend(where, history=history, top=10)
        assert len({item.id for item in alone} & {item.id for item in liked}) < 10


def test_models_that_take_no_ratings_leave_the_dislike_out_and_raise_nothing_alike(bundles, titles):
    for layout in LAYOUTS:
        with blind(bundles[layout]) as bundle:
            disliked = bundle.recommend([titles[3], titles[5]], dislike=[titles[5]], top=20)
            without = bundle.recommend([titles[3]], top=21)
        assert [item.id for item in disliked] == [item.id for item in without if item.title != titles[5]][:20]
        assert any("cannot learn" in note for note in disliked.notes)


def test_reasons_are_exact_in_every_layout_and_in_the_run(places, titles):
    """Contributions are those of the trained tables, and all parts add up to the score."""
    asked = {"history": [f"{titles[3]}=5", titles[8], f"{titles[20]}=1"], "dislike": [titles[12]], "prefer": ["Sci-Fi"]}
    found = [recommend(where, **asked, top=10, why=True) for where in places]
    for answer in found:
        assert answer.why_method == "contributions"
        for item in answer:
            assert parts(item) == pytest.approx(item.score, abs=FLOAT) and abs(item.why.remainder) < FLOAT
            assert [one.contribution for one in item.why.items] == sorted(
                (one.contribution for one in item.why.items), reverse=True
            )
    known = {item.id: item.why for item in found[-1]}
    for item in (item for answer in found[:-1] for item in answer if item.id in known):
        theirs, ours = known[item.id], item.why
        assert ours.popularity == pytest.approx(theirs.popularity, abs=1e-4)
        assert ours.others == pytest.approx(theirs.others, abs=1e-4)
        assert [one.id for one in ours.items] == [one.id for one in theirs.items]


def test_contributions_are_the_rows_of_the_trained_tables(tiny, bundles, titles):
    """Against the variables of the query's SavedModel: weight of the item times its row times the candidate's."""
    import tensorflow as tf

    run = Run(tiny)
    rows = tf.saved_model.load(str(run.saved_model("query"))).table_history.numpy()
    candidates, weights = np.load(run.trained / "candidates.npy"), run.history_weights
    stars = np.array([1, 1, 5, 0], np.float32)
    items = [20, 12, 3, 8]
    counts, total = weights.weights(stars, np.ones(4, bool))
    for layout in LAYOUTS:
        with open_bundle(bundles[layout]) as bundle:
            request = Request(history=[f"{titles[20]}=1", f"{titles[12]}=1", f"{titles[3]}=5", titles[8]])
            query = bundle._parser.history(request.history).query
            (found,), _ = bundle.answers([query], 10)
            reasons = bundle.reasons(query, found)
        expected = weights.norm(total) * counts[:, None] * (rows[items] @ candidates[found.ids, :-1].T)
        np.testing.assert_allclose(reasons.items, expected, atol=2e-5)


def test_quantized_models_say_what_their_rounding_leaves(tiny, titles):
    answer = recommend(tiny / "bundle", history=titles[:30], prefer=["Sci-Fi"], top=10, why=True)
    spread = answer.items[0].score - answer.items[-1].score
    for item in answer:
        assert parts(item) + item.why.remainder == pytest.approx(item.score)
        assert abs(item.why.remainder) < 0.05 * spread


def test_an_older_bundle_says_what_leaving_out_changes(bundles, titles):
    history = [titles[3], titles[8], titles[20]]
    for layout in LAYOUTS:
        with blind(bundles[layout]) as bundle:
            answer = bundle.recommend(history, top=5, why=True)
        assert answer.why_method == "leave_one_out"
        for item in answer:
            assert item.why.others is item.why.popularity is item.why.remainder is None
            assert {one.title for one in item.why.items} <= {*history}


def test_a_known_user_of_a_run_is_explained_by_the_training_history(tiny):
    user = (tiny / "trained" / "vocabularies" / "users.txt").read_text().splitlines()[41]
    with np.load(tiny / "trained" / "history.npz") as history:
        ids = (tiny / "trained" / "vocabularies" / "items.txt").read_text().splitlines()
        used = {ids[item] for item in history["item"][history["user"] == 41]}
    for item in pr.recommend(tiny, user=user, top=3, why=True):
        assert {one.id for one in item.why.items} <= used and parts(item) == pytest.approx(item.score, abs=FLOAT)


def test_why_of_a_user_needs_models_that_read_a_history(tiny):
    with open_bundle(tiny / "bundle") as bundle:
        by_user = Bundle(bundle.folder, replace(bundle.manifest, window=None))
        with raises("QUERY_UNSUPPORTED"):
            by_user.recommend(user="u1", why=True)


def test_the_command_prints_the_document_and_the_reasons(tiny, inside, titles):
    asked = ["--history", titles[3], "--dislike", titles[5], "--why", "--top", 3]
    done = inside("recommend", tiny / "bundle", *asked, "--json")
    document = json.loads(done.out)
    assert done.code == 0 and document["schema"] == "pocketrec.answer/1" and document["why_method"] == "contributions"
    assert [*document["items"][0]] == ["id", "title", "genres", "score", "stars", "why"]
    expected = pr.recommend(tiny / "bundle", history=[titles[3]], dislike=[titles[5]], top=3, why=True)
    assert document == expected.to_json()
    assert json.loads(inside("recommend", tiny / "bundle", "--history", titles[3], "--json").out)["why_method"] is None
    table = inside("recommend", tiny / "bundle", *asked)
    words = " ".join(re.split(r"[│\s]+", table.out))  # cells are folded to the width of the terminal
    assert table.code == 0 and "popularity +" in words and "why" in words


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("ITEM_UNKNOWN", ["--dislike", "nothing like it"]),
        ("ITEM_UNKNOWN", ["--dislike", "nothing like it", "--skip-unknown"]),
        ("OPTION_MISSING", ["--why"]),
    ],
)
def test_bad_feedback_is_refused(tiny, inside, code, arguments):
    done = inside("recommend", tiny / "bundle", *arguments)
    assert done.code == 2 and done.err.strip().endswith(f"[{code}]")
