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
    weights = feedback.weights(np.ones(6), np.array([0, 1, 2, 3, 5, -1], np.float32))
    assert weights[0] == weights[4] == 1 and 0 < weights[3] < 1
    np.testing.assert_allclose(weights[[1, 2, 5]], -DISLIKE, rtol=1e-6)


def test_a_dislike_does_not_fade():
    place = place_weights(4, 1.0)[::-1]
    feedback = feedback_for(np.array([1, 5], np.float32), False, 0.0)
    first, last = (feedback.weights(place, np.array(stars, np.float32)) for stars in ([1, 5, 5, 5], [5, 5, 5, 1]))
    np.testing.assert_allclose([first[0], last[3]], -DISLIKE * place.mean())
    assert first[1:].tolist() == place[1:].tolist() and last[:3].tolist() == place[:3].tolist()


@pytest.mark.parametrize(("ratings", "is_implicit"), [([1, 1], True), ([3, 3], False)])
def test_without_ratings_only_a_negative_number_is_a_dislike(ratings, is_implicit):
    feedback = feedback_for(np.array(ratings, np.float32), is_implicit, 0.5)
    assert feedback == NO_RATINGS
    weights = feedback.weights(np.ones(3), np.array([0, 1, -1], np.float32))
    np.testing.assert_allclose(weights, [1, 1, -DISLIKE], rtol=1e-6)


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
        (weight,) = feedback.weights(np.ones(1), np.array([stars], np.float32), strength)
        np.testing.assert_allclose(query(stars), weight * query(0), atol=1e-5)


@pytest.mark.parametrize("recency", [0.0, 1.0])
def test_model_training_and_the_published_weights_agree(recency):
    """The encoder in TensorFlow, the weights that validation uses, and those that a manifest publishes: one formula."""
    from pocketrec.core.records.history_weights import HistoryWeights
    from pocketrec.train.pocket.query_models import LinearQuery
    from pocketrec.train.tf import tf

    n, window, rng = 6, 5, np.random.default_rng(3)
    place, half = place_weights(window, recency), 8.0
    feedback = feedback_for(np.array([1, 5], np.float32), False, 0.5)
    few = dislike_half(place)
    tables = {
        "history": rng.normal(size=(n, 3)),
        "recency": place,
        "preference": np.zeros((0, 3)),
        "feedback": np.array([feedback.disliked_at, feedback.per_unit, feedback.best]),
        "dislike": np.array([DISLIKE, LONE_DISLIKE, few]),
        "unit": np.array(0.5),
        "popularity_gain": np.array(2.0),
        "popularity_half": np.array(half),
    }
    model = LinearQuery({name: table.astype(np.float32) for name, table in tables.items()}, [*"abcdef"], [], window)
    history, stars = np.array([n, 4, 1, n, 3], np.int32), np.array([0, 1, 4, 0, 2], np.float32)
    query = model.encode(tf.constant(history), tf.constant(stars), tf.zeros([0])).numpy()
    published = HistoryWeights(
        recency, feedback.disliked_at, feedback.best, feedback.per_unit, DISLIKE, LONE_DISLIKE, few, half
    )
    counts, total = published.weights(stars, history < n)
    rows = np.append(tables["history"], np.zeros((1, 3)), axis=0)
    norm = published.norm(total)
    np.testing.assert_allclose(query[:-1], norm * (counts @ rows[history]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(query[-1], norm * 0.5 * 2.0 / half**2 * published.popularity(total), rtol=1e-5)
    known = Histories(np.array([0, 2]), np.array([4, 1], np.int32), np.array([1, 4], np.float32))
    found = history_weights(known, np.array([0]), n, place, feedback).toarray()[0]
    counts, _ = published.weights(np.array([1, 4], np.float32), np.ones(2, bool))
    np.testing.assert_allclose(found[[4, 1]], counts, rtol=1e-6)
