"""The linear encoder as it is saved weighs a history as the formulas it was fitted with."""

import numpy as np
import pytest
from pocketrec.core.queries.histories import Histories
from pocketrec.train.linear.history_weights import (
    DISLIKE,
    LONE_DISLIKE,
    NO_RATINGS,
    dislike_half,
    feedback_for,
    history_weights,
    place_weights,
)

N_ITEMS = WINDOW = 8
SCALES = {
    "one to five": ([1, 2, 2.5, 3, 5], [0, 1, 2, 2.5, 5]),
    "halves from a half": ([0.5, 1, 3, 5], [0.5, 0, 1.5, 2, 5]),
    "around zero": ([-10, -4, 3, 10], [-10, -5, -4.5, 0, 10]),
    "zero at the limit": ([-1, 3], [-1, 0, 1, 3, -0.5]),
    "one to a hundred": ([1, 100], [1, 25, 26, 0, 100]),
}


def saved_weights(feedback, recency, items, ratings):
    """float32[n_items]: what each item of one history counts in the saved model, before the division by its length."""
    from pocketrec.train.pocket.query_models import LinearQuery

    place = place_weights(WINDOW, recency)
    tables = {
        "history": np.eye(N_ITEMS, dtype=np.float32),
        "recency": place.astype(np.float32),
        "preference": np.zeros((0, N_ITEMS), np.float32),
        "feedback": np.array([feedback.disliked_at, feedback.per_unit, feedback.best], np.float32),
        "dislike": np.array([DISLIKE, LONE_DISLIKE, dislike_half(place)], np.float32),
        **{name: np.array(1, np.float32) for name in ("unit", "popularity_gain", "popularity_half")},
    }
    model = LinearQuery(tables, [f"i{row}" for row in range(N_ITEMS)], [], WINDOW)
    empty = WINDOW - len(items)
    history = np.array([N_ITEMS] * empty + items, np.int32)
    stars = np.array([0] * empty + ratings, np.float32)
    total = place[: len(items)].sum()
    return model.encode(history, stars, np.zeros(0, np.float32)).numpy()[:-1] * np.sqrt(total + 1)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("slope", [0.0, 0.5])
@pytest.mark.parametrize("recency", [0.0, 0.7])
def test_ratings_count_as_in_training(scale, slope, recency):
    seen_ratings, ratings = SCALES[scale]
    feedback = feedback_for(np.array(seen_ratings), False, slope)
    items = [3, 1, 7, 0, 5]
    expected = expected_weights(feedback, recency, items, ratings)
    assert saved_weights(feedback, recency, items, ratings) == pytest.approx(expected, abs=1e-5)


def test_without_ratings_only_negative_numbers_are_dislikes():
    items, ratings = [2, 4, 6], [0, 1, -1]
    found = saved_weights(NO_RATINGS, 0.0, items, ratings)
    assert found == pytest.approx(expected_weights(NO_RATINGS, 0.0, items, ratings), abs=1e-5)
    assert found[2] == found[4] == pytest.approx(1) and found[6] < 0


def expected_weights(feedback, recency, items, ratings):
    seen = Histories(np.array([0, len(items)]), np.array(items, np.int32), np.array(ratings, np.float32))
    return history_weights(seen, np.array([0]), N_ITEMS, place_weights(WINDOW, recency), feedback).toarray()[0]
