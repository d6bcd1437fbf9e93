"""The one place TensorFlow Recommenders is imported: `from .tfrs import tfrs`."""

from . import tf as _keras_2  # noqa: F401  (selects Keras 2, which TensorFlow Recommenders asks for)
from .tf import Module

import tensorflow_recommenders  # isort: skip  (after .tf)

tfrs: Module = tensorflow_recommenders

__all__ = ["tfrs"]
