import re

import numpy as np
import pytest
from pocketrec.android_assets.recommend import recommend
from pocketrec.core.errors import InputError
from pocketrec.core.queries.query import Catalogue
from pocketrec.core.queries.query_parsing import ask_history, parse_history
from pocketrec.core.vocabulary_files import read_vocabulary

from tests.conftest import refused

HISTORY = ["Speed (1994)=5", "Contact (1997)=4"]
NAMES = Catalogue(items=list("abcde"), users=[], preferences=["age:18", "genre:Sci-Fi"], genres=["Sci-Fi"], window=3)
TITLES = ["A", "B", "E=mc2", "Speed (1994)", "Über"]


def titles(done):
    return re.findall(r"│ \d+ +│ (.+?) +│", done.out)


def test_phone_and_server_recommend_the_same_films(run):
    phone, server = (
        recommend(where, history=HISTORY, prefer=["Sci-Fi"], top=20).items for where in (run / "bundle", run)
    )
    assert len({item.title for item in phone} & {item.title for item in server}) >= 18
    assert {"Speed (1994)", "Contact (1997)"}.isdisjoint(item.title for item in phone)
    for item in phone:
        twin = next((other for other in server if other.id == item.id), item)
        assert abs(item.stars - twin.stars) < 0.1


def test_known_user_is_served_by_a_run_from_their_training_history(run):
    found = recommend(run, user="42", top=50).items
    items = read_vocabulary(run / "trained" / "vocabularies" / "items.txt")
    with np.load(run / "trained" / "history.npz") as history:
        watched = {items[item] for item in history["item"][history["user"] == 41]}
    assert len(found) == 50 and watched.isdisjoint(item.id for item in found)


def test_user_keyed_models_serve_their_users(tutorial_run):
    phone, server = (recommend(where, user="42", top=100).items for where in (tutorial_run / "bundle", tutorial_run))
    kept = [item.title for item in phone if item.title in {other.title for other in server}]
    assert kept[:10] == [item.title for item in server if item.title in set(kept)][:10]


def test_command_takes_the_option_again_for_each_item(run, pocketrec):
    history = ["--history", HISTORY[0], "--history", HISTORY[1]]
    done = pocketrec("recommend", run / "bundle", *history, "--prefer", "Sci-Fi", "--top", 5)
    assert done.code == 0 and len(titles(done)) == 5


def test_preferences_alone_answer_with_films_of_that_kind(run):
    import json

    catalogue = json.loads((run / "trained" / "items.json").read_text())
    for genre in ("Western", "Animation", "Horror"):
        found = recommend(run / "bundle", prefer=[genre], top=20).items
        share, usual = (
            sum(genre in g for g in genres) / len(genres)
            for genres in ([i.genres for i in found], [i["genres"] for i in catalogue])
        )
        assert share >= 3 * usual, (genre, share, usual)


def test_history_longer_than_the_window_keeps_its_newest_films(run):
    import json

    catalogue = [item["title"] for item in json.loads((run / "trained" / "items.json").read_text())]
    many = list(dict.fromkeys(catalogue))[:250]
    long = recommend(run / "bundle", history=many, top=10)
    assert long.notes == ["250 films given; the newest 200 count"]
    newest = recommend(run / "bundle", history=many[-200:], top=100).items
    assert [item.id for item in newest if item.title not in many][:3] == [
        item.id for item in long.items if item.title not in many
    ][:3]


def test_unknown_title_is_refused_or_left_out_and_said(run, pocketrec):
    line = refused(pocketrec("recommend", run / "bundle", "--history", "Sped (1994)", "--history", "Contact (1997)"))
    assert "did you mean 'Speed (1994)'" in line
    done = pocketrec(
        "recommend", run / "bundle", "--history", "Sped (1994)", "--history", "Contact (1997)", "--skip-unknown"
    )
    assert done.code == 0 and "note: left out 'Sped (1994)'" in done.out
    assert "at least one known film" in refused(
        pocketrec("recommend", run / "bundle", "--history", "Sped (1994)", "--skip-unknown")
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "42"], 'pass --history "TITLE=STARS"'),
        (["--history", "Speed (1994)", "--top", "101"], "1 to 100"),
        (["--history", "Speed (1994)", "--top", "0"], "1 to 100"),
        (["--history", "Speed (1994)=five"], "TITLE=STARS with a number"),
        (["--history", "Speed (1994)=6"], "1 to 5 stars"),
        (["--history", "Speed (1994)=0"], "1 to 5 stars"),
        (["--history", "Speed (1994)=nan"], "with a number"),
        (["--prefer", "Westren"], "did you mean 'Western'"),
        (["--history", "Speed (1994)", "--user", "42"], "got both"),
        ([], "got none of them"),
        (["--history", ""], "a title of the catalogue"),
    ],
)
def test_bad_questions_are_one_line(run, pocketrec, arguments, said):
    assert said in refused(pocketrec("recommend", run / "bundle", *arguments))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "4242"], "did you mean 424"),
        (["--user", "bob"], "users look like 1, 2, 3"),
        (["--history", "Speed (1994)=5"], "pass --user ID"),
    ],
)
def test_bad_questions_to_user_keyed_models_are_one_line(tutorial_run, pocketrec, arguments, said):
    assert said in refused(pocketrec("recommend", tutorial_run / "bundle", *arguments))


def test_top_beyond_the_catalogue_is_refused_for_a_run_too(run, pocketrec):
    assert "1 to 1682" in refused(pocketrec("recommend", run, "--user", 42, "--top", 1683))


def test_what_is_neither_run_nor_bundle_is_said(pocketrec, tmp_path):
    assert "a finished run" in refused(pocketrec("recommend", tmp_path, "--user", 42))


def test_history_entries_may_hold_equals_signs_and_stars():
    assert parse_history(["E=mc2", "E=mc2=4", "Speed (1994)=3.5"], TITLES, (1, 5)) == (
        [(2, None), (2, 4.0), (3, 3.5)],
        [],
    )
    with pytest.raises(InputError, match="a title of the catalogue"):
        parse_history(["Nothing like it=3"], TITLES, (1, 5))


def test_film_named_twice_counts_once_with_its_last_stars():
    asked = ask_history(["A=1", "B", "A=5"], ["sci-fi"], NAMES, TITLES, (1, 5))
    assert (asked.query.seen.tolist(), asked.query.stars.tolist(), asked.query.preferences) == (
        [0, 1],
        [5.0, 0.0],
        ["genre:Sci-Fi"],
    )
    assert asked.notes == ["1 films were named more than once; the last stars count"]


def test_a_list_is_narrowed_to_genres_by_the_phone_as_by_the_server(run):
    asked = {"history": ["Casablanca (1942)=5"], "genre": ["western", "Film-Noir"], "top": 20}
    phone, server = recommend(run / "bundle", **asked), recommend(run, **asked)
    for answer in (phone, server):
        assert len(answer.items) == 20 and all({*item.genres} & {"Western", "Film-Noir"} for item in answer.items)
    assert len({item.id for item in phone.items} & {item.id for item in server.items}) >= 18


def test_an_unknown_genre_is_one_line(run, tutorial_run, pocketrec):
    line = refused(pocketrec("recommend", run / "bundle", "--history", "Casablanca (1942)", "--genre", "Westen"))
    assert "--genre: expected one of the catalogue's genres" in line and "did you mean 'Western'" in line
