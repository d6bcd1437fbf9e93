"""Attention: no position sees a later one, empty places do not count, and the last position alone is what training computes."""

import numpy as np
import pytest
from pocketrec.core.queries.histories import Histories
from pocketrec.train.data.item_content import indicators

N_ITEMS, CONTEXT, DIMENSION = 30, 8, 12


@pytest.fixture(scope="module")
def network():
    from pocketrec.train.tf import tf
    from pocketrec.train.transformer.network import TransformerNetwork
    from pocketrec.train.transformer.settings import TransformerSettings

    seen = Histories(np.array([0, 30]), np.arange(30, dtype=np.int32), np.zeros(30, np.float32))
    none = indicators([[] for _ in range(N_ITEMS)], ["a"])
    settings = TransformerSettings(dimension=DIMENSION, context=CONTEXT)
    made = TransformerNetwork(seen, N_ITEMS, none, indicators([[]], ["a"]), settings, 1)
    made.rows.assign(tf.random.stateless_normal(made.rows.shape, [1, 2]))
    made.weights["attend"].assign(0.1 * tf.random.stateless_normal(made.weights["attend"].shape, [3, 4]))
    return made


def states(network, items):
    return network.states(network.items(), np.array(items, np.int32)).numpy()


def last(network, items):
    from pocketrec.train.transformer.attention import last_state

    items = np.array(items)
    rows = network.items().numpy()[np.minimum(items, N_ITEMS - 1)]
    return last_state(network.weights, rows, (items < N_ITEMS).astype(np.float32)).numpy()


def test_a_later_event_changes_no_earlier_state(network):
    one, other = states(network, [[3, 1, 4, 15, 9]])[0], states(network, [[3, 1, 4, 2, 6]])[0]
    np.testing.assert_array_equal(one[:4], other[:4])
    assert np.abs(one[4:] - other[4:]).min(axis=1).max() > 1e-3


def test_an_earlier_event_changes_the_last_state_and_so_does_its_place(network):
    assert np.abs(states(network, [[3, 1, 4]])[0, -1] - states(network, [[7, 1, 4]])[0, -1]).max() > 1e-3
    assert np.abs(states(network, [[3, 1, 4]])[0, -1] - states(network, [[1, 3, 4]])[0, -1]).max() > 1e-3


@pytest.mark.parametrize("items", [[], [5], [5, 2, 29], list(range(CONTEXT))])
def test_the_last_position_alone_is_the_last_of_all(network, items):
    padded = [N_ITEMS] * (CONTEXT - len(items)) + items
    np.testing.assert_allclose(last(network, padded), states(network, [items])[0, -1], atol=1e-5)
    np.testing.assert_allclose(last(network, [padded, padded])[1], last(network, padded), atol=1e-6)


def test_empty_places_do_not_count_wherever_they_are(network):
    np.testing.assert_allclose(last(network, [N_ITEMS, 5, 2]), last(network, [N_ITEMS] * 4 + [5, 2]), atol=1e-6)
    behind = states(network, [[5, 2, N_ITEMS, N_ITEMS]])[0]
    np.testing.assert_allclose(behind[2], states(network, [[5, 2]])[0, -1], atol=1e-6)
    alone = last(network, [N_ITEMS] * CONTEXT)
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(alone, last(network, [N_ITEMS]), atol=1e-6)
