"""RecBole's rows are measured as ours are. RecBole itself has an environment of its own and is not run here."""

import runpy

import numpy as np
import pytest
from pocketrec.core.metrics import retrieval_quality
from pocketrec.core.queries.histories import Histories

from tests.tiny import ROOT

QUALITY = runpy.run_path(str(ROOT / "tools" / "beside_recbole.py"))["quality"]


def test_the_same_scores_have_the_same_quality_as_in_evaluate():
    rng = np.random.default_rng(5)
    n_users, n_items, length = 40, 150, 7
    items = np.stack([rng.permutation(n_items)[:length] for _ in range(n_users)]).astype(np.int32)
    scores = np.round(rng.normal(size=(n_users, n_items)), 1)  # with ties
    shuffled = rng.permutation(n_users * length)
    user, place = np.divmod(np.arange(n_users * length), length)
    found = QUALITY(scores, np.arange(n_users), user[shuffled], items.ravel()[shuffled], place[shuffled])

    def of(rows: np.ndarray) -> Histories:
        return Histories(np.arange(n_users + 1) * rows.shape[1], rows.ravel(), np.zeros(rows.size, np.float32))

    wanted = retrieval_quality(lambda users: scores[users].astype(np.float32), of(items[:, :-1]), of(items[:, -1:]))
    for name in ("recall_at_10", "recall_at_100", "ndcg_at_10"):
        assert found[name] == pytest.approx(wanted[name], abs=1e-9), name
