"""The one place TensorFlow is imported: `from .tf import Tensor, tf`.

Importing this module imports TensorFlow with Keras 2 and leaves the environment and the warning filters as they were; see
`tensorflow_setup` for what the command sets besides.
"""

from typing import Any, TypeAlias

from ..core.errors import InputError
from .tensorflow_setup import legacy_keras_selected, require_keras_2

require_keras_2()
try:
    with legacy_keras_selected():
        import tensorflow

        _ = tensorflow.keras.layers  # TensorFlow loads its Keras at the first use
except ImportError as error:
    raise InputError(
        "TensorFlow",
        expected="tensorflow 2.18",
        given=f"an import error ({error})",
        do="pip install 'pocketrec[train]'",
        code="NOT_INSTALLED",
    ) from error

# TensorFlow's type stubs know neither Keras 2 nor half of the module.
Tensor: TypeAlias = Any
Module: TypeAlias = Any
tf: Module = tensorflow

__all__ = ["Module", "Tensor", "make_deterministic", "tf"]


def make_deterministic(seed: int) -> None:
    """Make training in this process a function of `seed`, for as long as the process lives.

    Seeds Python's, NumPy's and TensorFlow's global random generators, and allows TensorFlow only kernels that give the same
    result every time, which are slower; an operation without such a kernel raises `tf.errors.UnimplementedError`.

    Args:
        seed: 0 to 2**32 - 1.
    """
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
