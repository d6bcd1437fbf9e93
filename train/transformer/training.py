"""Fitting the transformer: passes over shuffled sequences, until validation does not get better."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...core.errors import CheckFailed
from ...core.metrics import retrieval_quality
from ...core.queries.histories import Histories
from ..data.history_windows import history_windows
from ..data.item_content import Indicators
from ..data.ratings import Ratings, histories
from ..data.splits import SPLITS
from ..linear.validation import Validation, validation_of, worth
from ..tf import Tensor, tf
from .attention import last_state
from .batches import epoch_of
from .network import TransformerNetwork
from .settings import TransformerSettings

log = logging.getLogger(__name__)

# Passes where there is too little to validate on, and the learning rate of the last passes as a share of the largest.
UNVALIDATED, FINISHING = 10, 0.1
WARMING, LEAST_RATE = 0.1, 0.01


@dataclass(frozen=True)
class FittedTransformer:
    """A fitted transformer.

    Attributes:
        tables: what the query model and the candidates are made of; see `TransformerNetwork.folded`.
        curve: one row per pass.
    """

    tables: dict[str, np.ndarray]
    curve: list[dict[str, float]]


def fit_transformer(
    train: Ratings,
    content: Indicators,
    interests: Indicators,
    declared: Indicators,
    settings: TransformerSettings,
    *,
    split: str,
    seed: int,
) -> FittedTransformer:
    """Fit on a part of `train` until the rest says to stop, then pass over all of it.

    Args:
        content: of the items, float32[n_items, n_content].
        interests: what users are taken to like in training; `declared`, with the same columns, is what validation knows of them.
        split: key of `SPLITS`; validation holds out as it does, and where nothing lies in the future each pass shuffles every
            history.

    Raises:
        CheckFailed: the loss is not a number any more.
    """
    if not train.has_timestamps:
        log.warning("no timestamps: the newest items of a history are the last in the order of the file")
    seen, n_items = histories(train), len(train.items)
    network = TransformerNetwork(seen, n_items, content, interests, settings, seed)
    fit = _Fit(network, np.random.default_rng([seed, 6]), ordered=SPLITS[split].is_future)
    validation = validation_of(train, split, seed)
    epochs = max(1, min(settings.epochs, settings.most_events // max(1, len(train))))
    if validation is None:
        for epoch in range(min(epochs, UNVALIDATED)):
            fit.epoch(seen, lambda done, epoch=epoch: rate_at((epoch + done) / min(epochs, UNVALIDATED)))
        return FittedTransformer(network.folded(), fit.curve)
    fit.until_it_stops(validation, declared.dense(), epochs)
    for _ in range(settings.finish):
        fit.epoch(seen, lambda _: FINISHING)
    return FittedTransformer(network.folded(), fit.curve)


def rate_at(progress: float) -> float:
    """Share of the largest learning rate: a linear rise, then half a cosine down to `LEAST_RATE`."""
    falling = 0.5 * (1 + math.cos(math.pi * progress))
    return min(progress / WARMING, LEAST_RATE + (1 - LEAST_RATE) * falling)


class _Fit:
    def __init__(self, network: TransformerNetwork, random: np.random.Generator, *, ordered: bool) -> None:
        self.network, self.random, self.ordered = network, random, ordered
        self.curve: list[dict[str, float]] = []
        self.rate = tf.Variable(0.0)
        self.optimizer = tf.keras.optimizers.legacy.Adam(lambda: self.rate)
        users, items = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)
        self._step = tf.function(self._learn, input_signature=[users, items])
        rows = tf.TensorSpec([None, network.settings.context], tf.int32)
        self._state = tf.function(self._last, input_signature=[rows, tf.TensorSpec([None, None], tf.float32)])

    def _learn(self, users: Tensor, items: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            loss = self.network.loss(users, items)
        variables = self.network.trainable_variables
        gradients = [
            tf.convert_to_tensor(each) for each in tape.gradient(loss, variables, unconnected_gradients="zero")
        ]
        self.optimizer.apply_gradients(zip(tf.clip_by_global_norm(gradients, 5.0)[0], variables, strict=True))
        return loss

    def epoch(self, seen: Histories, rate: Callable[[float], float]) -> None:
        """One pass; `rate` gives the share of the largest learning rate at a share of the pass."""
        settings, losses = self.network.settings, []
        tokens = min(settings.tokens, max(settings.least_tokens, len(seen.item) // settings.steps))
        batches = epoch_of(seen, self.network.n_items, settings.context, tokens, self.random, ordered=self.ordered)
        done, total = 0, max(1, len(seen.item))
        for users, items in batches:
            self.rate.assign(settings.rate * rate(done / total))
            losses.append(float(self._step(users, items)))
            done += int((items < self.network.n_items).sum())
            if not math.isfinite(losses[-1]):
                raise CheckFailed(
                    f"training: the loss became {losses[-1]} at step {len(losses)}; expected histories of ordinary data, "
                    "look for outliers or train with --encoder linear; nothing was written",
                    code="TRAINING_DIVERGED",
                )
        self.curve.append({"loss": round(float(np.mean(losses)), 5)})

    def until_it_stops(self, validation: Validation, declared: np.ndarray, epochs: int) -> None:
        """Pass after pass, until `patience` of them were no better; leaves the weights of the best."""
        best, kept, waited = -math.inf, [], 0
        variables = self.network.trainable_variables
        for epoch in range(epochs):
            self.epoch(validation.seen, lambda done, epoch=epoch: rate_at((epoch + done) / epochs))
            value = self.value(validation, declared)
            self.curve[-1]["validation"] = round(value, 5)
            log.info(f"pass {epoch + 1} of {epochs} at most: loss {self.curve[-1]['loss']:.4f}, validation {value:.4f}")
            waited += 1
            if value > best:
                best, kept, waited = value, [variable.numpy() for variable in variables], 0
            if waited == self.network.settings.patience:
                break
        for variable, values in zip(variables, kept, strict=True):
            variable.assign(values)

    def value(self, validation: Validation, declared: np.ndarray) -> float:
        """What the network is worth on validation."""
        table, bias = self.network.items().numpy(), self.network.bias.numpy()

        def score(users: np.ndarray) -> np.ndarray:
            rows, _ = history_windows(validation.seen, users, self.network.n_items, self.network.settings.context)
            return self._state(rows, declared[users]).numpy() @ table.T + bias

        return worth(retrieval_quality(score, validation.seen, validation.truth))

    def _last(self, items: Tensor, declared: Tensor) -> Tensor:
        known = tf.cast(items < self.network.n_items, tf.float32)
        rows = tf.gather(self.network.items(), tf.minimum(items, self.network.n_items - 1))
        return last_state(self.network.weights, rows, known) + tf.matmul(declared, self.network.preference_table)
