"""Small models, and what a runtime answers."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pocketrec.convert.converter import convert_function
from pocketrec.runtimes.launch import run_variant


def converted(function, *specs) -> bytes:
    """A Python function of tensors as a float32 .tflite file."""
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.f = tf.function(function)
    return convert_function(module, module.f.get_concrete_function(*specs))


def outputs_of(data: bytes, feeds: Mapping[str, np.ndarray], runtime: str) -> Mapping[str, np.ndarray]:
    """A model's outputs for packed inputs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tflite"
        path.write_bytes(data)
        outcome = run_variant(path, feeds, runtime=runtime)
    assert outcome, outcome.reason
    return outcome.arrays
