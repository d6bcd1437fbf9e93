"""Fitting: what is watched, for how long, and the stop at a loss that is not a number."""

from dataclasses import replace

import numpy as np
import pytest
from pocketrec.train import stage

from tests.conftest import raises
from tests.train.pocket.made_up import made_up, write_csv


def test_a_fiftieth_of_the_rows_is_watched_at_most_20_000():
    from pocketrec.train.pocket.fit import carve

    for n, watched in ((10, 0), (100, 2), (2_000_000, 20_000)):
        fitted, carved = carve(n, 7)
        assert len(carved) == watched and sorted([*fitted[:10], *carved])[:1] >= [0]
        assert len(np.union1d(fitted, carved)) == n == len(fitted) + len(carved)
    assert not np.array_equal(carve(100, 1)[1], carve(100, 2)[1])


@pytest.mark.parametrize(("rows", "epochs"), [(1, 8), (1_000_000, 8), (2_000_000, 4), (100_000_000, 1)])
def test_more_than_a_million_rows_take_fewer_passes(rows, epochs):
    from pocketrec.train.pocket.fit import epochs_for

    assert epochs_for(rows, 8) == epochs


def test_a_loss_that_is_not_a_number_stops_training_at_once():
    from pocketrec.train.pocket.fit import fit
    from pocketrec.train.pocket.ranker import RankingSettings
    from pocketrec.train.tf import tf

    class Diverging(tf.keras.Model):
        def train_step(self, data):
            return {"total_loss": tf.constant(np.inf) * tf.cast(data[0] * 0 + 1, tf.float32)}

    with raises("TRAINING_DIVERGED") as caught:
        fit(Diverging(), np.arange(9, dtype=np.int32), np.arange(0), RankingSettings(batch=3), seed=0)
    assert "step 1" in str(caught.value)


@pytest.mark.full
def test_training_that_diverges_leaves_nothing(tmp_path, monkeypatch):
    from pocketrec.train.pocket import trainer
    from pocketrec.train.pocket.ranker import RankingSettings

    data = write_csv(tmp_path / "r.csv", made_up())
    monkeypatch.setattr(trainer, "RankingSettings", lambda: replace(RankingSettings(), rate=1e30))
    with raises("TRAINING_DIVERGED") as caught:
        stage.train(tmp_path / "run", data=data)
    assert "outliers" in str(caught.value) and not (tmp_path / "run").exists()
