"""Dislikes given apart from the history: where they stand, what they leave out, and what wins."""

import numpy as np
import pytest
from pocketrec.core.queries.dislikes import UNRATED_DISLIKE, dislike_rating
from pocketrec.core.queries.history_parsing import HistoryEntry
from pocketrec.core.queries.model_inputs import feed
from pocketrec.core.queries.query import Catalogue, Query
from pocketrec.core.queries.query_parsing import QueryParser
from pocketrec.core.queries.recommendation import Request

from tests.conftest import raises

NAMES = Catalogue(items=[*"abcdefgh"], users=[], preferences=["genre:Sci-Fi"], genres=["Sci-Fi"], window=4)
TITLES = ["A", "B", "E=mc2", "Speed (1994)", "Über", "A", "G", "H=3"]
PARSER = QueryParser(NAMES, TITLES, (1, 5))
BLIND = QueryParser(NAMES, TITLES, (1, 5), reads_dislikes=False)


def asked(history=(), dislike=(), parser=PARSER, **options):
    return parser.history(history, (), (), dislike, **options)


def pairs(query):
    return list(zip(query.seen.tolist(), query.stars.tolist(), strict=True))


@pytest.mark.parametrize(
    ("range_", "rating"),
    [((1, 5), 1), ((-10, 10), -10), ((0.5, 5), 0.5), ((0, 5), UNRATED_DISLIKE), ((1, 1), UNRATED_DISLIKE)],
)
def test_a_dislike_is_rated_lowest_or_negative_where_that_says_nothing(range_, rating):
    assert dislike_rating(range_) == rating


def test_a_dislike_stands_before_what_was_used():
    query = asked(["B=4", "d"], ["h", "G"]).query
    assert pairs(query) == [(7, 1), (6, 1), (1, 4), (3, 0)]
    assert query.excluded.tolist() == []


def test_the_newest_items_keep_their_places_and_the_window_still_reads_the_dislike():
    query = asked(["b", "c", "d", "e", "g"], ["h"]).query
    assert query.seen.tolist() == [1, 2, 7, 3, 4, 6]
    assert feed("history", query, NAMES).tolist() == [7, 3, 4, 6]
    without = asked(["b", "c", "d", "e", "g"]).query
    assert feed("history", without, NAMES).tolist()[1:] == feed("history", query, NAMES).tolist()[1:]


def test_dislikes_take_at_most_half_of_the_window_from_what_was_used():
    query = asked(["b", "c"], ["d", "e", "g", "h"]).query
    assert feed("history", query, NAMES).tolist() == [6, 7, 1, 2]
    assert len(query.seen) == 6, "all of them stay out of the answer"


@pytest.mark.parametrize("name", ["A", "a", "f"])
def test_other_items_of_a_disliked_title_stay_away_whatever_named_it(name):
    query = asked((), [name]).query
    assert {*query.seen.tolist(), *query.excluded.tolist()} == {0, 5} and len(query.seen) == 1


@pytest.mark.parametrize(("history", "dislike"), [(["b=5", "d"], ["B"]), (["f=5", "d"], ["A"])])
def test_the_dislike_wins_over_the_history(history, dislike):
    parsed = asked(history, dislike)
    assert parsed.query.stars.tolist() == [1, 0] and 3 in parsed.query.seen
    assert parsed.notes == ["disliked and in the history: 1; the dislike counts"]


def test_named_twice_it_counts_once():
    assert pairs(asked((), ["b", "c", "B"]).query) == [(2, 1), (1, 1)]


def test_the_whole_history_may_be_disliked():
    parsed = asked(["b=5", "c"], ["b", "c"])
    assert pairs(parsed.query) == [(1, 1), (2, 1)]


def test_a_name_is_taken_whole():
    assert asked((), ["H=3"]).query.seen.tolist() == [7]
    assert asked((), [HistoryEntry("h", None, "id")]).query.seen.tolist() == [7]
    with raises("ITEM_UNKNOWN"):
        asked((), ["b=1"])


def test_models_without_ratings_leave_it_out_of_answer_and_history_and_say_so():
    parsed = asked(["b=5", "d"], ["b", "A"], BLIND)
    assert pairs(parsed.query) == [(3, 0)] and parsed.query.excluded.tolist() == [0, 1, 5]
    assert len(parsed.notes) == 2 and "cannot learn" in parsed.notes[1]


def test_an_unknown_dislike_is_as_an_unknown_item_of_the_history():
    with raises("ITEM_UNKNOWN") as refusal:
        asked(["b"], ["Sped (1994)"])
    assert str(refusal.value).startswith("--dislike: ") and "'Speed (1994)'" in str(refusal.value)
    parsed = asked(["b"], ["Sped (1994)"], skip_unknown=True)
    assert parsed.query.seen.tolist() == [1] and parsed.notes == ["left out 'Sped (1994)': not in the catalogue"]
    with raises("ITEM_UNKNOWN"):
        asked((), ["Sped (1994)"], skip_unknown=True)


@pytest.mark.parametrize("dislike", [[7], [("b", 5)]])
def test_what_is_no_name_is_refused(dislike):
    with raises("INPUT_INVALID"):
        asked((), dislike)


def test_a_known_user_may_dislike_too():
    nothing = np.empty(0, np.int32)
    known = Query(0, nothing, nothing, np.array([1, 3], np.int32), np.array([5, 4], np.float32))
    users = Catalogue(items=NAMES.items, users=["u"], preferences=[], genres=[], window=4)
    found = Request(user="u", dislike=["b"]).parse(QueryParser(users, TITLES, (1, 5)), lambda user: known)
    assert pairs(found.query) == [(1, 1), (3, 4)] and len(found.notes) == 1
    by_user = QueryParser(Catalogue(NAMES.items, ["u"], [], [], 0), TITLES, (1, 5), reads_dislikes=False)
    found = Request(user="u", dislike=["b"]).parse(by_user, lambda user: known)
    assert found.query.seen.tolist() == [3] and found.query.excluded.tolist() == [1]


def test_models_that_read_no_history_cannot_say_why():
    by_user = QueryParser(Catalogue(NAMES.items, ["u"], [], [], 0), TITLES, (1, 5))
    with raises("QUERY_UNSUPPORTED"):
        Request(user="u", why=True).parse(by_user, lambda user: asked(["b"]).query)
