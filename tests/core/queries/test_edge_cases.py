"""Edge cases are what their names say."""

import numpy as np
import pytest
from pocketrec.core.queries.edge_cases import edge_queries
from pocketrec.core.queries.query import Query

N_ITEMS, WINDOW = 50, 20
KNOWN = Query(
    3,
    np.array([7], np.int32),
    np.array([4.0], np.float32),
    np.arange(10, 30, dtype=np.int32),
    np.full(20, 5, np.float32),
    ("genre:Drama",),
)


@pytest.fixture
def cases():
    return edge_queries(KNOWN, N_ITEMS, WINDOW, 3.0)


def test_histories_are_what_their_names_say(cases):
    assert len(cases["nobody known"].seen) == 0 and cases["nobody known"].user == -1
    assert cases["one unknown candidate"].items.tolist() == [N_ITEMS] and len(cases["one item"].seen) == 1
    assert set(cases["only unknown items"].seen.tolist()) == {N_ITEMS}
    assert cases["unknown items between"].seen.tolist() == [N_ITEMS, 10, N_ITEMS]
    assert len(set(cases["an item repeated"].seen.tolist())) == 1 < len(cases["an item repeated"].seen)
    assert len(cases["longer than the window"].seen) > WINDOW
    assert np.array_equal(np.sort(cases["everything seen"].seen), np.arange(N_ITEMS))


def test_made_up_users_are_in_no_vocabulary_and_rate_the_median(cases):
    for name, query in cases.items():
        if name != "one unknown candidate":
            assert query.user == -1 and query.preferences == () and set(query.stars.tolist()) <= {3.0}
            assert query.items[-1] == N_ITEMS and len(query.items) == len(query.ratings)


def test_models_that_know_users_by_id_have_no_cases_about_histories():
    assert set(edge_queries(KNOWN, N_ITEMS, 0, 3.0)) == {"nobody known", "one unknown candidate"}
