"""Training on the tiny ratings: deterministic, better than popularity, and defined on the smallest data."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from pocketrec.core.metrics import retrieval_quality
from pocketrec.train.data.history_windows import history_windows
from pocketrec.train.data.ratings import by_popularity, histories, split_ratings
from pocketrec.train.transformer.settings import TransformerSettings

from tests.conftest import raises
from tests.train.transformer.tiny_ratings import tiny_ratings

SMALL = TransformerSettings(dimension=12, context=20, epochs=4, patience=2, finish=1, rate=1e-2)


def fitted(train, split, settings=SMALL):
    from pocketrec.train.pocket.known import known_of
    from pocketrec.train.tf import make_deterministic
    from pocketrec.train.transformer.training import fit_transformer

    make_deterministic(3)
    known = known_of(train)
    made = fit_transformer(train, known.content, known.interests, known.declared, settings, split=split, seed=3)
    return made, known


def encoder_of(made, known):
    from pocketrec.train.pocket.query_models import TransformerQuery
    from pocketrec.train.tf import tf

    tables = {**made.tables, "disliked_at": np.array(2.0, np.float32)}
    return tf.function(TransformerQuery(tables, known.train.items, known.vocabulary, 30).encode)


@pytest.mark.full
def test_a_seed_decides_everything_and_it_learns(tmp_path):
    train, test = by_popularity(*split_ratings(tiny_ratings(tmp_path), "leave-last-out", 1))
    (made, known), (again, _) = fitted(train, "leave-last-out"), fitted(train, "leave-last-out")
    assert made.curve == again.curve
    assert all(np.array_equal(table, again.tables[name]) for name, table in made.tables.items())
    assert len(made.curve) <= SMALL.epochs + SMALL.finish and "validation" in made.curve[0]
    encode, seen, declared = encoder_of(made, known), histories(train), known.declared.dense()
    candidates = made.tables["candidate"]

    def score(users):
        history, ratings = history_windows(seen, users, len(train.items), 30)
        return encode(history, np.zeros_like(ratings), declared[users]).numpy() @ candidates.T

    popular = np.bincount(train.item, minlength=len(train.items)).astype(np.float32)
    assert made.curve[-1]["loss"] < made.curve[0]["loss"]
    chance = 10 / (len(train.items) - np.diff(seen.offsets).mean())
    assert retrieval_quality(score, seen, histories(test))["recall_at_10"] > 1.5 * chance
    empty = np.full(30, len(train.items), np.int32)
    no_marks, seen_by_one = np.zeros(len(known.vocabulary), np.float32), np.full(30, 5, np.int32)
    first = np.argsort(
        -(candidates @ encode(empty, np.zeros(30, np.float32), np.zeros(len(known.vocabulary), np.float32)).numpy())
    )
    assert popular[first[:10]].mean() > 2 * popular.mean(), "an empty history gets what is popular"
    disliked, liked = (np.full(30, stars, np.float32) for stars in (2, 3))
    nothing, some = (encode(seen_by_one, stars, no_marks).numpy() for stars in (disliked, liked))
    np.testing.assert_allclose(nothing, encode(empty, liked, no_marks).numpy(), atol=1e-6)
    assert np.abs(some - nothing).max() > 1e-3, "what is disliked counts as absent, and only that"
    marks = np.eye(len(known.vocabulary), dtype=np.float32)
    alone = [
        np.argsort(-(candidates @ encode(empty, np.zeros(30, np.float32), mark).numpy()))[:10].tolist()
        for mark in marks[:3]
    ]
    assert alone[0] != alone[1] != alone[2], "declared preferences count"


@pytest.mark.full
def test_the_smallest_data_and_no_timestamps(tmp_path, caplog):
    ratings = tiny_ratings(tmp_path)
    one_each = ratings.take(np.unique(ratings.user, return_index=True)[1][:40])
    made, _ = fitted(one_each, "leave-last-out")
    assert all(np.isfinite(table).all() for table in made.tables.values())
    assert len(made.curve) == 4 and "validation" not in made.curve[0]
    without = replace(one_each, timestamp=np.zeros(len(one_each), np.int64), has_timestamps=False)
    with caplog.at_level(logging.INFO, logger="pocketrec"):
        fitted(without, "random")
    assert any("order of the file" in record.getMessage() for record in caplog.records)


@pytest.mark.full
def test_many_items_are_scored_against_a_sample(tmp_path):
    train = tiny_ratings(tmp_path)
    made, _ = fitted(train, "random", replace(SMALL, epochs=1, finish=0, negatives=16))
    assert all(np.isfinite(table).all() for table in made.tables.values())


def test_a_loss_that_is_no_number_ends_training(tmp_path):
    with raises("TRAINING_DIVERGED"):
        fitted(tiny_ratings(tmp_path), "random", replace(SMALL, rate=float("nan")))


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.05, 0.5), (1.0, 0.01)])
def test_the_learning_rate_rises_and_falls(progress, share):
    from pocketrec.train.transformer.training import rate_at

    assert rate_at(progress) == pytest.approx(share)
