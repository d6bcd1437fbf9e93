"""Small models, and what a runtime answers."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pocketrec.convert.converter import convert_function
from pocketrec.runtimes.launch import run_variant


def converted(function, *specs, **named) -> bytes:
    """A Python function of tensors as a float32 .tflite file."""
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(function)
    return convert_function(module, module.f.get_concrete_function(*specs, **named))


def outputs_of(data: bytes, feeds: Mapping[str, np.ndarray], runtime: str) -> Mapping[str, np.ndarray]:
    """A model's outputs for packed inputs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tflite"
        path.write_bytes(data)
        outcome = run_variant(path, feeds, runtime=runtime)
    assert outcome, outcome.reason
    return outcome.arrays


EXTREMES = {
    "bool": [True, False, True],
    "int32": [-(2**31), 2**31 - 1, 2**24 + 1],
    "float32": [1e-45, np.inf, -0.0],
    "int8": [-128, 127, 3],
    "uint8": [0, 255, 7],
    "int64": [-(2**63), 2**63 - 1, 2**53 + 1],
}


def twice_each_dtype() -> tuple[bytes, dict[str, np.ndarray]]:
    """A model whose outputs, such as `int8_twice`, are its inputs of each dtype twice over, and one query of extreme values."""
    from pocketrec.train.tf import tf

    specs = {name: tf.TensorSpec([3], name, name) for name in EXTREMES}
    data = converted(lambda **x: {f"{n}_twice": tf.concat([v, v], 0) for n, v in x.items()}, **specs)
    return data, {name: np.array([values], name) for name, values in EXTREMES.items()}


def assert_twice(found: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray]) -> None:
    """Every value came back, bit for bit."""
    for name, value in given.items():
        twice = found[f"{name}_twice"]
        assert (twice.dtype, twice.tobytes()) == (value.dtype, value.tobytes() * 2), name
