"""Fitting a model on row numbers: validation carved from the training part, curves, and a stop at the first NaN."""

from typing import Protocol

import numpy as np

from ...core.errors import CheckFailed
from ..tf import Tensor, tf

VALIDATION_SHARE = 0.02


class Schedule(Protocol):
    """How long and how fast to fit: passes over the data, rows per step, Adam's first learning rate."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def rate(self) -> float: ...


class _StopAtNan(tf.keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("total_loss", 0.0)
        if not np.isfinite(loss):
            raise CheckFailed(
                f"training: the loss became {loss} at step {batch + 1}; expected ratings of ordinary size, "
                "look for outliers in the data or train with fewer; nothing was written",
                code="TRAINING_DIVERGED",
            )


def carve(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split row numbers 0..n-1 of the training part into those fitted on and those for validation (2%, at most 20,000)."""
    order = np.random.default_rng([seed, 1]).permutation(n).astype(np.int32)
    watched = min(round(n * VALIDATION_SHARE), 20_000)
    return np.sort(order[watched:]), np.sort(order[:watched])


def epochs_for(n: int, epochs: int) -> int:
    """Fewer passes over more than a million rows: the more rows a pass has, the less another one adds."""
    return max(1, min(epochs, round(epochs * 1e6 / max(n, 1))))


def fit(
    model: Tensor, fitted: np.ndarray, watched: np.ndarray, settings: Schedule, *, seed: int
) -> list[dict[str, float]]:
    """Fit with Adam under cosine decay.

    Args:
        model: a Keras model that is trained on row numbers.
        fitted, watched: int32 row numbers to train on and to validate on, as `carve` returns them.
        seed: of the order of training.

    Returns:
        One row per epoch: losses and metrics by name, `val_` ones on the watched rows.

    Raises:
        CheckFailed: the loss is not a number any more.
    """
    batch, epochs = settings.batch, epochs_for(len(fitted), settings.epochs)
    steps = -(-len(fitted) // batch) * epochs
    schedule = tf.keras.optimizers.schedules.CosineDecay(settings.rate, steps, alpha=0.01)
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(schedule))
    rows = tf.data.Dataset.from_tensor_slices(fitted).shuffle(min(len(fitted), 1_000_000), seed=seed).batch(batch)
    validation = tf.data.Dataset.from_tensor_slices(watched).batch(batch) if len(watched) else None
    history = model.fit(rows, validation_data=validation, epochs=epochs, verbose=0, callbacks=[_StopAtNan()]).history
    return [{name: round(float(values[epoch]), 5) for name, values in history.items()} for epoch in range(epochs)]
