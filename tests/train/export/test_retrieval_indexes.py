import numpy as np
import pytest


@pytest.fixture(scope="module")
def made():
    """Indexes of two catalogues of other sizes and other vectors, all made in this process."""
    from pocketrec.train.export.retrieval_indexes import index_exports
    from pocketrec.train.tf import tf

    tower = tf.keras.Sequential([tf.keras.layers.Lambda(lambda vector: vector)])
    specs = {"vector": tf.TensorSpec([None, 16], tf.float32)}
    catalogues = []
    for items, seed in ((90, 1), (40, 2), (40, 3)):
        vectors = np.random.default_rng(seed).normal(size=(items, 16)).astype(np.float32)
        names = [str(row) for row in range(items)]
        exports, _ = index_exports(tower, vectors, names, {"vector": vectors[:8]}, specs)
        catalogues.append((vectors, exports))
    return catalogues


@pytest.mark.parametrize("catalogue", [0, 1, 2])
def test_an_index_answers_from_its_own_vectors_however_many_the_process_made(made, catalogue):
    vectors, exports = made[catalogue]
    best = np.argsort(-(vectors[:8] @ vectors.T), axis=1)
    for name in ("retrieval_bruteforce", "retrieval_scann"):
        answer = exports[name].signatures["serving_default"](vector=vectors[:8])
        assert answer["ids"].numpy()[:, :10].astype(int).tolist() == best[:, :10].tolist(), name
