"""A SavedModel that does not answer as the trained model did is not written."""

import numpy as np
import pytest

from tests.conftest import raises


@pytest.fixture
def export():
    """Doubles its input."""
    from pocketrec.train.export.savedmodels import Export
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.factor = tf.Variable(2.0)
    function = tf.function(lambda x: {"y": x * module.factor})
    signature = function.get_concrete_function(tf.TensorSpec([None], tf.float32, "x"))
    return Export(module, {"serving_default": signature}, {"x": np.array([1, np.nan], np.float32)})


def test_what_was_written_answers_bit_for_bit(export, tmp_path):
    from pocketrec.train.export.savedmodels import call_signature, load_signature, write_saved_model

    write_saved_model(export, tmp_path / "double")
    loaded = load_signature(tmp_path / "double", "serving_default")
    assert set(loaded.specs) == {"x"}
    assert call_signature(loaded, {"x": np.array([3], np.float32)})["y"].tolist() == [6]


def test_another_answer_after_loading_fails(export, tmp_path, monkeypatch):
    from pocketrec.train.export import savedmodels

    real = savedmodels.load_signature

    def tampered(folder, name):
        loaded = real(folder, name)
        loaded.owner.factor.assign(2.0000002)
        return loaded

    monkeypatch.setattr(savedmodels, "load_signature", tampered)
    with raises("SAVEDMODEL_MISMATCH") as caught:
        savedmodels.write_saved_model(export, tmp_path / "double")
    assert "double" in str(caught.value) and "'y'" in str(caught.value)
