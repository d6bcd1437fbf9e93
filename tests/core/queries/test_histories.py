import numpy as np
from pocketrec.core.queries.histories import group_events


def test_events_are_grouped_by_user_oldest_first():
    found = group_events(np.array([2, 0, 2]), np.array([5, 6, 7]), np.array([1.0, 2.0, 3.0]), np.array([30, 10, 20]), 4)
    assert found.offsets.tolist() == [0, 1, 1, 3, 3]
    assert found.items_of(2).tolist() == [7, 5] and found.ratings_of(2).tolist() == [3.0, 1.0]
    assert found.items_of(1).tolist() == [] and found.users().tolist() == [0, 2, 2]
