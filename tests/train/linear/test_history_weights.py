import numpy as np
import pytest
from pocketrec.core.queries.histories import Histories
from pocketrec.train.linear.history_weights import (
    DISLIKE,
    LONE_DISLIKE,
    NO_RATINGS,
    dislike_half,
    dislike_strength,
    feedback_for,
    history_weights,
    place_weights,
    totals,
)

SEEN = Histories(np.array([0, 3, 3]), np.array([4, 1, 2], np.int32), np.array([5, 1, 3], np.float32))


def test_the_newest_item_weighs_most_and_the_window_cuts_the_oldest():
    weights = history_weights(SEEN, np.array([0, 1]), 5, place_weights(2, 1.0)).toarray()
    assert weights.tolist() == [[0, 0.5, 1.0, 0, 0], [0, 0, 0, 0, 0]]
    assert totals(SEEN, np.array([0, 1]), place_weights(2, 1.0)).tolist() == [1.5, 0]


def test_dislikes_count_against_and_what_is_not_rated_counts_fully():
    feedback = feedback_for(np.array([1, 5, 3], np.float32), False, 0.5)
    factors = feedback.factors(np.array([0, 1, 2, 3, 5, -1], np.float32))
    assert factors[0] == factors[4] == 1 and 0 < factors[3] < 1
    np.testing.assert_allclose(factors[[1, 2, 5]], -DISLIKE, rtol=1e-6)


@pytest.mark.parametrize(("ratings", "is_implicit"), [([1, 1], True), ([3, 3], False)])
def test_without_ratings_only_a_negative_number_is_a_dislike(ratings, is_implicit):
    feedback = feedback_for(np.array(ratings, np.float32), is_implicit, 0.5)
    assert feedback == NO_RATINGS
    np.testing.assert_allclose(feedback.factors(np.array([0, 1, -1], np.float32)), [1, 1, -DISLIKE], rtol=1e-6)


def test_a_dislike_counts_most_where_there_is_little_else():
    strengths = [dislike_strength(total, 8.0) for total in (0, 1, 10, 1000)]
    assert strengths[0] == DISLIKE + LONE_DISLIKE and strengths == sorted(strengths, reverse=True)
    assert strengths[-1] < 1.01 * DISLIKE


def test_the_weights_in_the_saved_model_are_these(tiny):
    """The query of one rated item, in both."""
    from pocketrec.core.run_dir import Run
    from pocketrec.train.export.savedmodels import load_signature

    settings = Run(tiny).record.settings["retrieval"]
    low, high = Run(tiny).record.data.rating_range
    feedback = feedback_for(np.array([low, high], np.float32), False, settings["rating_slope"])
    encoder = load_signature(tiny / "trained" / "query", "serving_default")

    def query(stars):
        inputs = {"watched": np.array([[b"i0"]], object), "declared": np.array([[b""]], object)}
        return encoder(**inputs, stars=np.array([[stars]], np.float32))["query"].numpy()[0, :-1]

    for stars in (1, 2, 3, 4, 5):
        strength = dislike_strength(1.0, dislike_half(place_weights(256, settings["recency"])))
        (factor,) = feedback.factors(np.array([stars], np.float32), strength)
        np.testing.assert_allclose(query(stars), factor * query(0), atol=1e-5)
