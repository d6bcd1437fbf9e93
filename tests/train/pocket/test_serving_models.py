"""The saved pocket models answer any query: histories, missing parts, unknown ids."""

import numpy as np
import pytest
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.model_inputs import feed
from pocketrec.core.run_dir import Run
from pocketrec.train.export.served_queries import ask


@pytest.fixture(scope="module")
def served(tiny):
    from pocketrec.train.export.savedmodels import load_signature

    return {name: load_signature(tiny / "trained" / name, "serving_default") for name in ("ranking", "query")}


def ask_rating(served, watched, stars, candidates=(b"i0",), declared=(b"",)):
    def batch(values):
        return np.array([list(values)], object)

    answer = served["ranking"](
        watched=batch(watched),
        stars=np.array([stars], np.float32),
        declared=batch(declared),
        candidates=batch(candidates),
    )
    return answer["rating"].numpy()[0]


def test_missing_parts_are_legal(served):
    """No history, unrated items, unknown ids and tokens, padding anywhere: all answer, and absent means absent."""
    nothing = ask_rating(served, [b""], [0])
    assert np.isfinite(nothing).all()
    assert np.array_equal(ask_rating(served, [b"", b"no such item"], [5, 4], declared=[b"no such token"]), nothing)
    assert not np.array_equal(ask_rating(served, [b"i1"], [0]), nothing)
    assert np.array_equal(ask_rating(served, [b"", b"i1"], [0, 5]), ask_rating(served, [b"i1", b""], [5, 0]))


def test_a_user_who_rates_high_is_predicted_to_rate_higher(served):
    items = [b"i1", b"i2", b"i3"]
    assert ask_rating(served, items, [5] * 3)[0] > ask_rating(served, items, [1] * 3)[0] + 0.5


def test_a_declared_preference_changes_the_prediction(served):
    assert ask_rating(served, [b""], [0], declared=[b"genre:Action"]) != ask_rating(served, [b""], [0])


def test_a_disliked_item_counts_against_what_is_alike(served, tiny):
    candidates = np.load(tiny / "trained" / "candidates.npy")
    items = (tiny / "trained" / "vocabularies" / "items.txt").read_text().splitlines()

    def scores(stars):
        answer = served["query"](
            watched=np.array([[b"i0"]], object),
            stars=np.array([[stars]], np.float32),
            declared=np.array([[b""]], object),
        )
        return answer["query"].numpy()[0] @ candidates.T

    alike = np.argsort(-(scores(5) - scores(1)))[:20]
    alike = alike[alike != items.index("i0")]
    assert (scores(1)[alike] < scores(0)[alike]).all() and (scores(2) == scores(1)).all()
    assert (scores(4) <= scores(5) + 1e-6)[alike].all()


def test_id_keyed_query_is_the_served_one(tiny, served):
    from pocketrec.train.export.savedmodels import load_signature

    data = HeldOut(Run(tiny))
    encoder = load_signature(tiny / "trained" / "query", "query_encoder")
    assert len(data.queries) > 100
    for query in data.queries[::20]:
        by_id = encoder(**{name: feed(name, query, data.catalogue) for name in encoder.specs})["query"].numpy()
        np.testing.assert_allclose(ask(served["query"], query, data.catalogue)["query"], by_id, atol=1e-5)


def test_no_user_row_leaves_with_the_models(tiny):
    """The ranker is trained with a row per rater; once folded, nothing of that size is left."""
    from pocketrec.train.tf import tf

    n_users = Run(tiny).record.data.n_users
    for name in ("ranking", "query", "candidate"):
        variables = tf.train.list_variables(str(tiny / "trained" / name / "variables" / "variables"))
        assert not [shape for _, shape in variables if shape and shape[0] == n_users]
