"""Which encoder `--encoder auto` takes: by a rule where measurements settle it, else by validation."""

import logging
from dataclasses import dataclass, field

import numpy as np

from ...core.metrics import retrieval_quality
from ..data.history_windows import history_windows
from ..data.ratings import Ratings, histories
from ..encoders import AUTO
from ..linear.solvers import method_for
from ..linear.validation import Validation, validation_of, worth
from ..tf import tf
from .fitted_retrievers import FittedRetriever, timed_fit
from .known import known_of

log = logging.getLogger(__name__)

PREFERRED, CHALLENGER = "linear", "pooling"
# Encoders are compared on the events of whole users, at most about so many, which bounds the time; and the challenger is taken if
# it is worth this much more, beyond what another draw of users would change.
MOST_COMPARED, CLEARLY_BETTER = 200_000, 1.02


@dataclass(frozen=True)
class Choice:
    """An encoder, and why.

    Attributes:
        encoder: a key of `ENCODERS` that fits something.
        reason: one line for people; '' where it was asked for by name.
        validation: what each encoder that was compared is worth on validation (`worth`).
    """

    encoder: str
    reason: str = ""
    validation: dict[str, float] = field(default_factory=dict)


def choose_encoder(asked: str, train: Ratings, split: str, seed: int, dimension: int | None) -> Choice:
    """The encoder to fit on `train`, which chooses it alone.

    Where weights from items to items are solved exactly, the linear encoder is ahead of the trained ones on every data set and
    split that was measured, so nothing is compared (see the decision record). For a catalogue that is too large for that, both are
    fitted on a part of the training ratings.
    """
    if asked != AUTO:
        return Choice(asked)
    if method_for(len(train.items), len(train.users)) != "svd":
        return Choice(PREFERRED, f"weights of {len(train.items):,} items can be solved exactly")
    validation = validation_of(_some_users(train, seed), split, seed)
    if validation is None:
        return Choice(PREFERRED, "there is too little to compare encoders on")
    found = {name: _value(name, validation, split, seed, dimension) for name in (PREFERRED, CHALLENGER)}
    better = found[CHALLENGER] > CLEARLY_BETTER * found[PREFERRED]
    values = " and ".join(f"{name} {value:.4f}" for name, value in found.items())
    return Choice(CHALLENGER if better else PREFERRED, f"worth on validation: {values}", found)


def _some_users(train: Ratings, seed: int) -> Ratings:
    """All events of users drawn at random, about `MOST_COMPARED` of them at most."""
    if len(train) <= MOST_COMPARED:
        return train
    users = np.random.default_rng([seed, 8]).permutation(len(train.users))
    fits = np.cumsum(np.bincount(train.user, minlength=len(users))[users]) <= MOST_COMPARED
    return train.take(np.flatnonzero(np.isin(train.user, users[fits])))


def _value(name: str, validation: Validation, split: str, seed: int, dimension: int | None) -> float:
    known = known_of(validation.train)
    made, seconds = timed_fit(name, known, split, seed, dimension)
    found = _quality(made, validation, known.vocabulary, known.declared.dense())
    log.info(f"encoder {name}: worth {found:.4f} on validation, {seconds:.0f} s")
    return round(found, 4)


def _quality(made: FittedRetriever, validation: Validation, vocabulary: list[str], declared: np.ndarray) -> float:
    n_items, seen = validation.n_items, histories(validation.train)
    query = made.query_model(made.tables, validation.train.items, vocabulary, made.window)
    encode, candidates = tf.function(query.encode), made.tables["candidate"]

    def score(users: np.ndarray) -> np.ndarray:
        history, _ = history_windows(seen, users, n_items, made.window)
        return encode(history, np.zeros(history.shape, np.float32), declared[users]).numpy() @ candidates.T

    return worth(retrieval_quality(score, seen, validation.truth))
