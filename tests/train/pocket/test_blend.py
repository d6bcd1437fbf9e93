"""`--encoder blend`: its scores are those of its two encoders, weighted, and phones agree."""

import json

import numpy as np
import pytest
from pocketrec.core.queries.histories import Histories
from pocketrec.train.pocket.blend import spreads

from tests.conftest import raises
from tests.train.transformer.tiny_ratings import tiny_ratings


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """(what is known, linear, transformer and both fitted), of the tiny ratings."""
    import pocketrec.train.pocket.fitted_retrievers as fitted
    from pocketrec.train.pocket.blend import blended
    from pocketrec.train.pocket.known import known_of
    from pocketrec.train.tf import make_deterministic
    from pocketrec.train.transformer.settings import TransformerSettings

    make_deterministic(1)
    known = known_of(tiny_ratings(tmp_path_factory.mktemp("blend")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitted, "TransformerSettings", lambda: TransformerSettings(epochs=2, finish=1))
        linear, _ = fitted.timed_fit("linear", known, "random", 1, 12)
        transformer, _ = fitted.timed_fit("transformer", known, "random", 1, 12)
    return (
        known,
        linear.tables,
        transformer.tables,
        blended(linear.tables, transformer.tables, known, "random", linear.window),
    )


@pytest.mark.full
def test_scores_are_the_weighted_sum(parts):
    from pocketrec.train.pocket.query_models import BlendQuery, LinearQuery, TransformerQuery
    from pocketrec.train.tf import tf

    known, linear, transformer, both = parts
    n, p = len(known.train.items), len(known.vocabulary)
    history = np.full((3, 256), n, np.int32)
    history[1, -4:], history[2, -2:] = [5, 80, 3, 17], [9, 0]
    stars, marks = np.zeros((3, 256), np.float32), np.zeros((3, p), np.float32)
    stars[1, -1], marks[2, 0] = 1, 1

    def scores(kind, tables):
        query = kind(tables, known.train.items, known.vocabulary, 256)
        return tf.function(query.encode)(history, stars, marks).numpy() @ tables["candidate"].T

    wanted = scores(LinearQuery, linear) + both["scales"][1] * scores(TransformerQuery, transformer)
    found = scores(BlendQuery, both)
    shift = (found - wanted).mean(axis=1, keepdims=True)  # a constant a query changes no order
    np.testing.assert_allclose(found - shift, wanted, atol=1e-4)
    halves = np.abs(both["candidate"][:, :12]).max(axis=1).mean(), np.abs(both["candidate"][:, 12:]).max(axis=1).mean()
    assert halves[0] == pytest.approx(halves[1], rel=1e-3), "a row has one scale when quantized"


def test_spreads_leave_out_what_a_user_has():
    scores = np.array([[9.0, 1.0, 2.0, 3.0], [4.0, 4.0, 4.0, 0.0]], np.float32)
    seen = Histories(np.array([0, 1, 4]), np.array([0, 0, 1, 2], np.int32), np.zeros(4, np.float32))
    assert spreads(scores, seen, np.array([0, 1])) == pytest.approx([np.std([1, 2, 3])])


def test_a_width_that_halves_cannot_share_is_refused(tmp_path):
    from pocketrec.train.stage import train

    with raises("VALUE_OUT_OF_RANGE"):
        train(tmp_path / "run", encoder="blend", dimension=7)


@pytest.mark.parametrize("encoder", ["transformer", "blend"])
def test_trained_encoders_are_the_pocket_presets(tmp_path, encoder):
    from pocketrec.train.stage import train

    with raises("OPTION_CONFLICT"):
        train(tmp_path / "run", preset="tutorial", encoder=encoder)


def test_an_unknown_encoder_is_refused(tmp_path):
    from pocketrec.train.stage import train

    with raises("NAME_UNKNOWN"):
        train(tmp_path / "run", encoder="transformers")


@pytest.mark.full
def test_the_whole_road(tmp_path, inside):
    from tests.tiny import write_ratings

    write_ratings(tmp_path)
    given = ["--data", tmp_path / "ratings.csv", "--item-features", tmp_path / "items.csv"]
    for arguments in (
        ["train", *given, "--encoder", "blend", "--dimension", "24", "--out", tmp_path / "run"],
        ["convert", tmp_path / "run"],
        ["parity", tmp_path / "run"],
        ["bundle", tmp_path / "run"],
        ["verify", tmp_path / "run" / "bundle"],
    ):
        done = inside(*arguments)
        assert done.code == 0, (arguments, done.out, done.err)
    results = json.loads((tmp_path / "run" / "reports" / "parity.json").read_text())["results"]
    assert {row["status"] for row in results} == {"pass"}
