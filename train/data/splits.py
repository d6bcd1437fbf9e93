"""The ways to hold ratings out, by name. NumPy is imported by the functions: the command reads names for its help."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class HoldOut(Protocol):
    """From users int32[n], timestamps int64[n] and a seed to bool[n]: which events are held out."""

    def __call__(self, user: "np.ndarray", timestamp: "np.ndarray", seed: int) -> "np.ndarray": ...


@dataclass(frozen=True)
class Split:
    """A way to hold ratings out.

    Attributes:
        summary: one line for people.
        held_out: chooses the events. Events of a user with equal timestamps are taken in the source's order.
        is_future: what is held out of a user comes after everything they are trained on; needs timestamps.
    """

    summary: str
    held_out: HoldOut
    is_future: bool


def _random_fifth(user: "np.ndarray", timestamp: "np.ndarray", seed: int) -> "np.ndarray":
    import numpy as np

    held_out = np.zeros(len(user), bool)
    held_out[np.random.default_rng(seed).permutation(len(user))[round(len(user) * 0.8) :]] = True
    return held_out


def _last_fifth(user: "np.ndarray", timestamp: "np.ndarray", seed: int) -> "np.ndarray":
    import numpy as np

    return _last_of_each_user(user, timestamp, np.bincount(user) // 5)


def _last_event(user: "np.ndarray", timestamp: "np.ndarray", seed: int) -> "np.ndarray":
    import numpy as np

    return _last_of_each_user(user, timestamp, (np.bincount(user) > 1).astype(int))


def _last_of_each_user(user: "np.ndarray", timestamp: "np.ndarray", count: "np.ndarray") -> "np.ndarray":
    """bool[n]: the last `count` int[n_users] events of each user."""
    import numpy as np

    order, events = np.lexsort((timestamp, user)), np.bincount(user)
    users = user[order]
    position = np.arange(len(order)) - (np.cumsum(events) - events)[users]
    held_out = np.zeros(len(user), bool)
    held_out[order] = position >= (events - count)[users]
    return held_out


SPLITS = {
    "random": Split("a random fifth of the ratings", _random_fifth, is_future=False),
    "temporal": Split("the last fifth of each user's ratings, rounded down", _last_fifth, is_future=True),
    "leave-last-out": Split("each user's last rating, unless it is the only one", _last_event, is_future=True),
}
DEFAULT_SPLIT = "random"
