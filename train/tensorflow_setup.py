"""Keras 2 and a quiet TensorFlow: what must be set before TensorFlow is imported. TensorFlow is not imported here.

TensorFlow Recommenders needs Keras 2, and TensorFlow decides for good which Keras `tf.keras` is at its first use.
"""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator

from ..core.errors import InputError

LEGACY_KERAS = "TF_USE_LEGACY_KERAS"
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "TFDS_DISABLE_PROGRESS_BAR": "1"}


def configure_tensorflow() -> None:
    """Set this process up for TensorFlow as the `pocketrec` command does, for it and for the processes it starts.

    Selects Keras 2, hides GPUs (the kit trains on the CPU, where a seed gives the same weights everywhere), and turns down
    TensorFlow's log, its warnings and TFDS' progress bar. Variables that are set already stay, but for TF_USE_LEGACY_KERAS.
    To be called before TensorFlow is imported. A library user need not call it: without it the stages select Keras 2 while
    they import TensorFlow, and change nothing else.

    Raises:
        InputError: `tf.keras` was used before, as Keras 3.
    """
    require_keras_2()
    os.environ[LEGACY_KERAS] = "1"
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="tensorflow.*")
    logging.getLogger("tensorflow").addFilter(_errors_only)
    with contextlib.suppress(ImportError):
        import absl.logging

        absl.logging.set_verbosity(absl.logging.ERROR)


def _errors_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def require_keras_2() -> None:
    """Refuse Keras 3. A TensorFlow that is not imported yet passes; where `tf.keras` was not used yet, it becomes Keras 2.

    Raises:
        InputError: `tf.keras` is Keras 3 already.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return
    with legacy_keras_selected():
        version = getattr(tensorflow.keras, "version", None)  # Keras 2 has none here
    if version is not None:
        raise InputError(
            "TensorFlow",
            expected="Keras 2 as tf.keras",
            given=f"Keras {version()}, in use already",
            do=f"set {LEGACY_KERAS}=1, or call pocketrec's configure_tensorflow(), before TensorFlow is imported",
            code="KERAS_UNSUPPORTED",
        )


@contextlib.contextmanager
def legacy_keras_selected() -> Iterator[None]:
    """Select Keras 2 where the block imports TensorFlow or first uses `tf.keras`; afterwards the environment is as it was."""
    before = os.environ.get(LEGACY_KERAS)
    os.environ[LEGACY_KERAS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[LEGACY_KERAS]
        else:
            os.environ[LEGACY_KERAS] = before
