"""Recommendations from bundles and runs, by the command and in Python."""

import json
import re
from collections import Counter

import numpy as np
import pytest
from pocketrec.android_assets.reading.verify import open_bundle
from pocketrec.core.files.directory_swap import swap
from pocketrec.core.files.vocabulary_files import read_vocabulary

from tests.android_assets.asking import recommend
from tests.conftest import raises, refused


def titles(done):
    return re.findall(r"│ \d+ +│ (.+?) +│", done.out)


def catalogue(run):
    return json.loads((run / "trained" / "items.json").read_text())


def test_phone_and_server_recommend_the_same_items(tiny):
    items = catalogue(tiny)
    history = {items[3]["title"]: 5, items[8]["id"]: 4}
    phone, server = (
        recommend(where, history=history, prefer=["Sci-Fi"], top=20).items for where in (tiny / "bundle", tiny)
    )
    assert len({item.title for item in phone} & {item.title for item in server}) >= 18
    assert {items[3]["id"], items[8]["id"]}.isdisjoint(item.id for item in [*phone, *server])
    known = {item.id: item.stars for item in server}
    assert all(abs(item.stars - known[item.id]) < 0.1 for item in phone if item.id in known)


@pytest.mark.full
def test_phone_and_server_recommend_the_same_films(run):
    asked = {"history": ["Speed (1994)=5", "Contact (1997)=4"], "prefer": ["Sci-Fi"], "top": 20}
    phone, server = (recommend(where, **asked).items for where in (run / "bundle", run))
    assert len({item.title for item in phone} & {item.title for item in server}) >= 18


def test_known_user_is_served_by_a_run_from_their_training_history(tiny):
    users = read_vocabulary(tiny / "trained" / "vocabularies" / "users.txt")
    found = recommend(tiny, user=users[41], top=50).items
    items = read_vocabulary(tiny / "trained" / "vocabularies" / "items.txt")
    with np.load(tiny / "trained" / "history.npz") as history:
        used = {items[item] for item in history["item"][history["user"] == 41]}
    assert len(found) == 50 and used.isdisjoint(item.id for item in found)


def test_user_keyed_models_serve_their_users(tutorial_run):
    phone, server = (recommend(where, user="42", top=100).items for where in (tutorial_run / "bundle", tutorial_run))
    kept = [item.title for item in phone if item.title in {other.title for other in server}]
    assert kept[:10] == [item.title for item in server if item.title in set(kept)][:10]
    with raises("USER_UNKNOWN") as refusal:
        recommend(tutorial_run / "bundle", user="4242")
    assert "did you mean 424" in str(refusal.value)
    with raises("QUERY_UNSUPPORTED"):
        recommend(tutorial_run / "bundle", history=["Speed (1994)=5"])


def test_the_command_prints_notes_and_a_table(tiny, pocketrec):
    first, second = (item["title"] for item in catalogue(tiny)[:2])
    history = ["--history", f"{first}=5", "--history", second, "--history", "nothing", "--skip-unknown"]
    done = pocketrec("recommend", tiny / "bundle", *history, "--prefer", "Sci-Fi", "--top", 5)
    assert done.code == 0 and len(titles(done)) == 5, done.err
    assert "note: left out 'nothing'" in done.out
    line = refused(pocketrec("recommend", tiny / "bundle", "--history", first[:-1]))
    assert line.endswith("[ITEM_UNKNOWN]") and repr(first) in line


def test_what_is_neither_run_nor_bundle_is_refused(pocketrec, tmp_path):
    assert "[RUN_MISSING]" in refused(pocketrec("recommend", tmp_path, "--user", 42))


@pytest.mark.full
def test_a_declared_genre_alone_fills_its_list(run):
    """Of every genre with 20 items and more at least 8 in ten, and no two genres have one list."""
    sizes = Counter(genre for item in catalogue(run) for genre in item["genres"])
    genres = [genre for genre, size in sizes.items() if size >= 20]
    lists = {}
    with open_bundle(run / "bundle") as bundle:
        for genre in genres:
            found = bundle.recommend(prefer=[genre], top=10).items
            assert sum(genre in item.genres for item in found) >= 8, genre
            lists[genre] = tuple(item.id for item in found)
    assert len(genres) >= 15 and len(set(lists.values())) == len(genres)


def test_history_longer_than_the_window_keeps_its_newest_items(tiny, tmp_path):
    bundle = open_bundle(tiny / "bundle")
    ids = [item.id for item in bundle.items]
    many = [*ids[:60], *ids[:60][::-1], *ids[60:100]] if bundle.catalogue.window < 100 else ids[:100]
    assert bundle.recommend(many, top=10).items


def test_top_is_at_most_what_there_is(tiny):
    n, k = len(catalogue(tiny)), json.loads((tiny / "bundle" / "manifest.json").read_text())["k"]
    for where, most in ((tiny / "bundle", k), (tiny, n)):
        for top in (0, most + 1):
            with raises("TOP_INVALID") as refusal:
                recommend(where, prefer=["Western"], top=top)
            assert f"1 to {most}" in str(refusal.value)


def test_a_list_is_narrowed_to_genres_by_the_phone_as_by_the_server(tiny):
    asked = {"history": [catalogue(tiny)[0]["id"]], "genres": ["western", "Musical"], "top": 10}
    phone, server = recommend(tiny / "bundle", **asked), recommend(tiny, **asked)
    for answer in (phone, server):
        assert len(answer.items) == 10 and all({*item.genres} & {"Western", "Musical"} for item in answer.items)
    assert len({item.id for item in phone.items} & {item.id for item in server.items}) >= 9


def test_genres_alone_are_a_query(tiny):
    for where in (tiny / "bundle", tiny):
        assert all("Western" in item.genres for item in recommend(where, genres=["Western"], top=5).items)


@pytest.mark.full
@pytest.mark.parametrize("layout", ["cascade", "pair", "split"])
def test_an_item_does_not_come_back_under_another_id_of_its_title(signed, own_tiny, layout):
    """In the bundle and in the run: the best answer is given the title of an item of the history."""
    from pocketrec.android_assets.writing.options import BundleOptions
    from pocketrec.android_assets.writing.writer import write_bundle
    from pocketrec.core.run_dir import Run

    items = catalogue(own_tiny)
    used = items[0]["title"]
    best = recommend(own_tiny, history=[used], top=1).items[0].id
    next(item for item in items if item["id"] == best)["title"] = used
    (own_tiny / "trained" / "items.json").write_text(json.dumps(items))
    write_bundle(Run(own_tiny), own_tiny / "b", BundleOptions(layout=layout))
    for where in (own_tiny / "b", own_tiny):
        assert best not in {item.id for item in recommend(where, history=[used], top=20).items}
        assert best in {item.id for item in recommend(where, history=[items[0]["id"]], top=20).items}


def test_a_bundle_answers_in_python(tiny):
    with open_bundle(str(tiny / "bundle")) as bundle:
        title = bundle.items[2].title
        answer = bundle.recommend({title: 5}, prefer=["Sci-Fi"], top=3)
        assert len(answer.items) == 3 and answer.to_json()["items"][0]["id"] == answer.items[0].id
        assert bundle.recommend([f"{title}=5"], prefer=["Sci-Fi"], top=3) == answer
        assert bundle.manifest.name in repr(bundle) and bundle.path == tiny / "bundle"


def test_a_bundle_that_was_replaced_since_it_was_opened_does_not_answer(pair, tmp_path):
    import shutil

    bundle = open_bundle(pair)
    swap(shutil.copytree(pair, tmp_path / "new"), pair)
    with raises("INPUT_CHANGED"):
        bundle.recommend(prefer=["Western"])
    assert open_bundle(pair).recommend(prefer=["Western"]).items
