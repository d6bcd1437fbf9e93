import numpy as np
from pocketrec.core.queries.packing import packed, part, rows_of

RAGGED = [np.array([1, 2]), np.array([], int), np.array([3])]


def test_ragged_rows_come_back():
    arrays = packed({"items": RAGGED})
    assert arrays["items.offsets"].tolist() == [0, 2, 2, 3]
    assert [row.tolist() for row in rows_of(arrays, "items")] == [[1, 2], [], [3]]


def test_rows_of_one_shape_are_stacked():
    arrays = packed({"query": [np.zeros(4), np.ones(4)]})
    assert set(arrays) == {"query"} and arrays["query"].shape == (2, 4)


def test_a_part_holds_the_rows_of_some_queries():
    arrays = packed({"items": RAGGED, "query": [np.zeros(4), np.ones(4), np.ones(4)]})
    middle = part(arrays, 1)
    assert middle["items.offsets"].tolist() == [0, 0, 1] and middle["items"].tolist() == [3]
    assert len(part(arrays, 0, 2)["query"]) == 2
