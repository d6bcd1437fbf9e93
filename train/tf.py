"""The one place TensorFlow is imported, with Keras 2 (TensorFlow Recommenders needs it) and its logging turned down.

from .tf import tf
"""

import os
import warnings
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TFDS_DISABLE_PROGRESS_BAR", "1")
warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", category=UserWarning, module="tensorflow.*")

from ..core.errors import InputError  # noqa: E402

try:
    import absl.logging
    import tensorflow
except ImportError as error:
    raise InputError(
        "TensorFlow",
        expected="tensorflow 2.18",
        given=f"an import error ({error})",
        do="pip install 'pocketrec[train]'",
    ) from error

tf: Any = tensorflow  # its published type stubs know neither Keras 2 nor half of the module
tf.get_logger().setLevel("ERROR")
absl.logging.set_verbosity(absl.logging.ERROR)

__all__ = ["tf"]


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow and allow only deterministic kernels, so that a seed gives the same weights."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
