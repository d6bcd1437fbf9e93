"""What the converter's errors become: one line that says what is wrong and what to do."""

from pocketrec.convert.converter import convert_function, ports_of

from tests.conftest import raises


def refusal(function, *specs, layer=None):
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.layer = layer
    module.f = tf.function(function)
    with raises("MODEL_UNSUPPORTED") as caught:
        convert_function(module, module.f.get_concrete_function(*specs))
    return str(caught.value)


def test_a_recurrent_layer_with_a_free_batch_asks_for_fixed_shapes():
    from pocketrec.train.tf import tf

    layer = tf.keras.layers.GRU(4)
    layer(tf.zeros([1, 3, 2]))  # builds it
    line = refusal(lambda x: {"y": layer(x)}, tf.TensorSpec([None, 3, 2], tf.float32, "x"), layer=layer)
    assert "got 'tf.TensorListReserve' op requires element_shape to be static" in line
    assert "whose input shapes are fixed" in line and "For example" not in line


def test_float64_inputs_are_named_instead_of_ids():
    from pocketrec.train.tf import tf

    line = refusal(lambda x: {"y": tf.linalg.inv(x)}, tf.TensorSpec([3, 3], tf.float64, "x"))
    assert "x is float64" in line and "ids" not in line


def test_strings_are_to_be_looked_up_outside():
    from pocketrec.train.tf import tf

    line = refusal(lambda x: {"y": tf.strings.length(x)}, tf.TensorSpec([None], tf.string, "x"))
    assert "tf.StringLength" in line and "int32 ids" in line


def test_other_ops_are_to_be_replaced():
    from pocketrec.train.tf import tf

    line = refusal(lambda x: {"y": tf.linalg.inv(x)}, tf.TensorSpec([3, 3], tf.float32, "x"))
    assert "tf.MatrixInverse" in line and "replace those ops" in line and "ids" not in line


def test_an_input_without_rank_is_refused():
    from pocketrec.train.tf import tf

    specs = {"x": tf.TensorSpec(None, tf.float32, "x"), "y": tf.TensorSpec([None, 2], tf.int32, "y")}
    with raises("MODEL_UNSUPPORTED"):
        ports_of(specs)
    del specs["x"]
    assert ports_of(specs) == [{"name": "y", "shape": [-1, 2], "dtype": "int32"}]
