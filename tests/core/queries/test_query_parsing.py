"""One parser for the command, the server and bundles: names, ratings, repeats, shared titles, and what is refused."""

import numpy as np
import pytest
from pocketrec.benchmarks.serving.requests import RequestParser
from pocketrec.core.queries.history_parsing import HistoryEntry
from pocketrec.core.queries.query import Catalogue
from pocketrec.core.queries.query_parsing import QueryParser
from pocketrec.core.queries.recommendation import Request

from tests.conftest import raises

NAMES = Catalogue(
    items=[*"abcdef", "30"], users=[], preferences=["age:18", "genre:Sci-Fi"], genres=["Sci-Fi", "Western"], window=3
)
TITLES = ["A", "B", "E=mc2", "Speed (1994)", "Über", "A", "Thirty"]
PARSER = QueryParser(NAMES, TITLES, (1, 5))
BY_USER = QueryParser(Catalogue(items=["a"], users=["u1", "u2"], preferences=[], genres=[], window=0), ["A"], (1, 5))


def parsed(history, prefer=(), genres=(), **options):
    """Items and ratings of the history, and the notes."""
    found = PARSER.history(history, prefer, genres, **options)
    return list(zip(found.query.seen.tolist(), found.query.stars.tolist(), strict=True)), found.notes


@pytest.mark.parametrize(
    ("history", "items"),
    [
        (["A"], [(0, 0)]),
        (["A=3.5"], [(0, 3.5)]),
        (["E=mc2", "Speed (1994)=3"], [(2, 0), (3, 3)]),
        (["E=mc2=4"], [(2, 4)]),
        (["b=2", "30=5"], [(1, 2), (6, 5)]),
        (["SPEED (1994)", "üBER=1"], [(3, 0), (4, 1)]),
        ({"Speed (1994)": 5, "Über": None}, [(3, 5), (4, 0)]),
        ([("Speed (1994)", 5), ("d", None)], [(3, 0)]),
        ([("Speed (1994)", np.float32(4.5))], [(3, 4.5)]),
        ([HistoryEntry("A", 2.0, "title"), HistoryEntry("b", None, "id")], [(0, 2), (1, 0)]),
        (iter(["A", "B"]), [(0, 0), (1, 0)]),
    ],
)
def test_items_are_named_by_title_or_id_with_or_without_a_rating(history, items):
    assert parsed(history)[0] == items


def test_of_a_repeated_item_the_last_place_and_rating_count():
    items, notes = parsed(["A=1", "B", "A=2", "A=5"])
    assert items == [(1, 0), (0, 5)]
    assert notes == ["items named more than once: 1; the last place and rating count"]


def test_the_newest_items_of_a_long_history_count():
    items, notes = parsed(["A", "B", "E=mc2", "Über"])
    assert len(items) == 4 and notes == ["4 items given; the newest 3 count"]


def test_a_title_of_several_items_means_the_first_and_excludes_the_others():
    by_title, by_id = PARSER.history(["A"]).query, PARSER.history(["a"]).query
    assert by_title.seen.tolist() == [0] and by_title.excluded.tolist() == [5]
    assert by_id.seen.tolist() == [0] and by_id.excluded.tolist() == []
    assert PARSER.history(["A", "f"]).query.excluded.tolist() == [], "it is in the history itself"


def test_preferences_and_genres_alone_are_a_query():
    query = PARSER.history([], ["SCI-fi", "18"]).query
    assert query.preferences == ["genre:Sci-Fi", "age:18"] and not len(query.seen)
    assert PARSER.history([], genres=["western"]).query.genres == ["Western"]


def test_unknown_items_are_left_out_with_a_note_where_that_is_asked_for():
    items, notes = parsed(["Nothing", "B"], skip_unknown=True)
    assert items == [(1, 0)] and notes == ["left out 'Nothing': not in the catalogue"]
    with raises("ITEM_UNKNOWN"):
        parsed(["Nothing"], skip_unknown=True)


@pytest.mark.parametrize(
    ("code", "word", "history", "prefer", "genres"),
    [
        ("OPTION_MISSING", "--history", [], [], []),
        ("ITEM_UNKNOWN", "did you mean 'Speed (1994)'?", ["Sped (1994)=3"], [], []),
        ("ITEM_UNKNOWN", "''", [""], [], []),
        ("ITEM_UNKNOWN", "nothing resembles it", ["zzzzzz"], [], []),
        ("STARS_INVALID", "'A=five'", ["A=five"], [], []),
        ("STARS_INVALID", "'A=6'", ["A=6"], [], []),
        ("STARS_INVALID", "'A=0'", ["A=0"], [], []),
        ("STARS_INVALID", "'A=nan'", ["A=nan"], [], []),
        ("STARS_INVALID", "1 to 5", {"A": 6}, [], []),
        ("STARS_INVALID", "True", {"A": True}, [], []),
        ("STARS_INVALID", "'5'", {"A": "5"}, [], []),
        ("INPUT_INVALID", "7", [7], [], []),
        ("INPUT_INVALID", "(7, 5)", {7: 5}, [], []),
        ("PREFERENCE_UNKNOWN", "'Sci-Fi'", [], ["Sci-Fy"], []),
        ("GENRE_UNKNOWN", "'Western'", ["A"], [], ["Westen"]),
    ],
)
def test_what_cannot_be_parsed_is_refused_with_the_nearest_names(code, word, history, prefer, genres):
    with raises(code) as refusal:
        PARSER.history(history, prefer, genres)
    assert word in str(refusal.value) and refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("code", "word", "user"), [("USER_UNKNOWN", "did you mean u1", "u11"), ("USER_UNKNOWN", "u1, u2", "zzz")]
)
def test_unknown_users_are_refused(code, word, user):
    assert BY_USER.user("u2") == 1
    with raises(code) as refusal:
        BY_USER.user(user)
    assert word in str(refusal.value)


def test_models_answer_only_the_queries_they_were_made_for():
    with raises("QUERY_UNSUPPORTED"):
        PARSER.user("u1")
    with raises("QUERY_UNSUPPORTED"):
        BY_USER.history(["A"])
    with raises("GENRE_UNKNOWN"):
        BY_USER.genres(["Western"])


def test_a_request_has_a_user_or_a_history():
    with raises("OPTION_CONFLICT"):
        Request(user="u1", prefer=["x"]).parse(BY_USER, lambda user: PARSER.history(["A"]).query)
    for top in (0, 8):
        with raises("TOP_INVALID"):
            Request(top=top).check_top(7, "the size of the catalogue")


SERVER = RequestParser(NAMES, TITLES, (1, 5))


def test_the_server_parses_by_the_same_rules_and_names_the_place():
    history = [
        HistoryEntry("a", 5.0, "id"),
        HistoryEntry("speed (1994)", None, "title"),
        HistoryEntry("A", 1.0, "title"),
    ]
    asked = SERVER.of_history(history, ["SCI-fi"])
    assert asked.inputs == {"watched": [[b"d", b"a"]], "stars": [[0.0, 1.0]], "declared": [[b"genre:Sci-Fi"]]}
    assert len(asked.notes) == 1 and not asked.refused
    assert SERVER.of_history([], ["age:18"]).inputs == {"watched": [[b""]], "stars": [[0.0]], "declared": [[b"age:18"]]}


def test_the_server_takes_dislikes_and_names_their_place():
    asked = SERVER.of_history([HistoryEntry("d", 5.0, "id")], [], [HistoryEntry("A", None, "title")])
    assert asked.inputs == {"watched": [[b"a", b"d"]], "stars": [[1.0, 5.0]], "declared": [[b""]]}
    assert asked.refused == {"a", "f"}, "the other item of the title too"
    with raises("ITEM_UNKNOWN") as refusal:
        SERVER.of_history([], [], [HistoryEntry("a", None, "id"), HistoryEntry("A", None, "id")])
    assert "dislike[1]: expected an id" in str(refusal.value)


@pytest.mark.parametrize(
    ("code", "words", "history", "preferences"),
    [
        (
            "ITEM_UNKNOWN",
            ["history[1]: expected an id", '"skip_unknown": true'],
            [("a", None, "id"), ("A", None, "id")],
            [],
        ),
        ("ITEM_UNKNOWN", ["history[0]: expected a title"], [("a ", None, "title")], []),
        ("STARS_INVALID", ["history[0].stars", "5.5"], [("a", 5.5, "id")], []),
        ("PREFERENCE_UNKNOWN", ["preferences[0]", "leave it out"], [], ["Sci-Fy"]),
        ("OPTION_MISSING", ["question: expected history, dislike or preferences"], [], []),
    ],
)
def test_the_server_refuses_without_looking_for_the_nearest(code, words, history, preferences):
    with raises(code) as refusal:
        SERVER.of_history([HistoryEntry(*entry) for entry in history], preferences)
    assert all(word in str(refusal.value) for word in words) and "did you mean" not in str(refusal.value)
