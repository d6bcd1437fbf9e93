"""What made up a score, against the tables it was computed from."""

import numpy as np
import pytest
from pocketrec.core.queries.query import Query
from pocketrec.core.queries.reasons import Explained
from pocketrec.core.records.history_weights import HistoryWeights
from pocketrec.core.records.item import Item

N, WINDOW, RNG = 12, 5, np.random.default_rng(1)
ROWS, CANDIDATES, DECLARED, SHARE = RNG.normal(size=(N, 3)), RNG.normal(size=(N, 3)), RNG.normal(size=3), RNG.random(N)
WANTED = np.array([9, 10, 11], np.int32)
NOTHING = np.empty(0, np.int32)


def linear(weights):
    """Retrieval scores as the linear encoder has them: its formula, written down once more."""

    def score(queries):
        found = []
        for query in queries:
            seen, stars = query.seen[-WINDOW:], query.stars[-WINDOW:]
            counts, total = weights.weights(stars, seen < N)
            vector = counts @ np.append(ROWS, np.zeros((1, 3)), axis=0)[np.minimum(seen, N)]
            vector = vector + (DECLARED if query.preferences else 0)
            popular = weights.popularity(total) * SHARE[WANTED]
            found.append(weights.norm(total) * (CANDIDATES[WANTED] @ vector + popular))
        return np.array(found)

    return score


def explained(query, score, weights, rating=0.0):
    (retrieved,) = score([query])
    return Explained(query, WINDOW, N, retrieved, retrieved + rating).reasons(score, weights), retrieved


@pytest.mark.parametrize("recency", [0.0, 0.7])
@pytest.mark.parametrize("preferences", [(), ("genre:Sci-Fi",)])
def test_contributions_are_those_of_the_tables_and_add_up(recency, preferences):
    weights = HistoryWeights(recency, 2.0, 5.0, 0.1, 0.2, 0.9, 4.0, 8.0)
    seen, stars = np.array([8, 0, 3, N, 1, 5], np.int32), np.array([5, 1, 4, 0, 0, 2], np.float32)
    query = Query(-1, NOTHING, NOTHING, seen, stars, preferences)
    reasons, retrieved = explained(query, linear(weights), weights, rating=0.5)
    read = np.array([0, 3, 1, 5])
    assert reasons.seen.tolist() == read.tolist(), "the newest of the window, without what is unknown"
    assert reasons.disliked.tolist() == [True, False, False, True]
    counts, total = weights.weights(stars[-WINDOW:], seen[-WINDOW:] < N)
    expected = weights.norm(total) * counts[[0, 1, 3, 4]][:, None] * (ROWS[read] @ CANDIDATES[WANTED].T)
    np.testing.assert_allclose(reasons.items, expected, atol=1e-12)
    np.testing.assert_allclose(reasons.remainder, 0, atol=1e-12)
    parts = reasons.items.sum(axis=0) + reasons.preferences + reasons.popularity + reasons.rating
    np.testing.assert_allclose(parts, retrieved + 0.5)
    assert bool(np.any(reasons.preferences)) == bool(preferences)


def test_named_are_the_items_that_added_most_and_the_rest_is_summed():
    weights = HistoryWeights(0.0, 2.0, 5.0, 0.0, 0.2, 0.9, 8.0, 8.0)
    query = Query(-1, NOTHING, NOTHING, np.arange(5, dtype=np.int32), np.zeros(5, np.float32))
    reasons, retrieved = explained(query, linear(weights), weights)
    catalogue = [Item(f"i{i}", f"Title {i}", []) for i in range(N)]
    for place, why in enumerate(reasons.in_names(catalogue)):
        added = [reason.contribution for reason in why.items]
        positive = int((reasons.items[:, place] > 0).sum())
        assert len(added) == min(3, positive) and added == sorted(added, reverse=True)
        assert added[0] == reasons.items[:, place].max()
        whole = sum(added) + why.others + why.preferences + why.popularity + why.rating + why.remainder
        assert whole == pytest.approx(retrieved[place])


def test_without_weights_it_is_what_the_score_loses_without_the_item():
    def score(queries):
        return np.array([np.full(3, float(np.square(query.seen[query.seen < N]).sum())) for query in queries])

    seen = np.array([7, 2, 4, N], np.int32)
    query = Query(-1, NOTHING, NOTHING, seen, np.zeros(4, np.float32))
    reasons, _ = explained(query, score, None)
    assert reasons.method == "leave_one_out" and reasons.items[:, 0].tolist() == [49, 4, 16]
    (why, *_) = reasons.in_names([Item(f"i{i}", f"Title {i}", []) for i in range(N)])
    assert [reason.id for reason in why.items] == ["i7", "i4", "i2"] and why.others is why.popularity is None


def test_an_empty_history_is_popularity_and_preferences():
    weights = HistoryWeights(0.0, 2.0, 5.0, 0.0, 0.2, 0.9, 8.0, 8.0)
    query = Query(-1, NOTHING, NOTHING, NOTHING, NOTHING.astype(np.float32), ["genre:Sci-Fi"])
    reasons, retrieved = explained(query, linear(weights), weights)
    np.testing.assert_allclose(reasons.preferences + reasons.popularity, retrieved)
    assert explained(query, linear(weights), None)[0].items.shape == (0, 3)
