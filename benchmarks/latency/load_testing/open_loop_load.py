"""Open-loop load: requests at scheduled times, whether or not the server keeps up, and how late each answer was.

A client that waits for an answer before its next request leaves out the very requests that a slow moment would have hit
(coordinated omission: Tene, "How NOT to Measure Latency", 2013). Here send times are scheduled beforehand, and latency counts
from them: a stall shows in every request it delays.

Standard library and NumPy only, since the load worker imports it by path.
"""

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Arrivals = Literal["poisson", "constant"]
Break = Literal["errors", "rate", "p99"]
ARRIVALS = ("poisson", "constant")
# A sleep ends about 0.1 ms late: sleep until this long before the send time, then yield until it is due. Yielding all along is as
# punctual on an idle machine, but a busy one makes a process wait that never sleeps.
_SPIN_NS = 200_000


@dataclass(frozen=True)
class Sent:
    """What became of each request, in the order of their scheduled send times; times in nanoseconds after the start.

    Attributes:
        intended_ns, sent_ns, done_ns: int64[n]; done is when the answer was read, or when the request failed or was given up.
        status: int16[n], HTTP status; 0 where no answer came.
    """

    intended_ns: np.ndarray
    sent_ns: np.ndarray
    done_ns: np.ndarray
    status: np.ndarray

    @property
    def latency_ns(self) -> np.ndarray:
        """int64[n] from the scheduled send time; of a failed request the time until it failed, a lower bound."""
        return self.done_ns - self.intended_ns

    @property
    def lag_ns(self) -> np.ndarray:
        """int64[n], how much later than scheduled the client itself began to send."""
        return self.sent_ns - self.intended_ns

    @property
    def errors(self) -> int:
        """Requests that were not answered with 200."""
        return int(np.count_nonzero(self.status != 200))

    def achieved_per_s(self, window_s: float) -> float:
        """Answers with status 200 per second, over the sending window and the time it took beyond it to answer."""
        return (len(self.status) - self.errors) / max(window_s, float(self.done_ns.max()) / 1e9)


def intended_times(per_s: float, seconds: float, *, arrivals: str = "poisson", seed: int = 42) -> np.ndarray:
    """int64[round(per_s * seconds)] nanoseconds, rising, in [0, seconds).

    `constant` is one every 1/per_s; `poisson` is independent users: a Poisson process conditioned on its number of arrivals, which
    are then uniform and sorted (Ross, Introduction to Probability Models, section 5.3.5), so that exactly this rate is offered.
    """
    n = round(per_s * seconds)
    if arrivals == "constant":
        return np.round(np.arange(n) * (1e9 / per_s)).astype(np.int64)
    return np.sort(np.random.default_rng(seed).uniform(0, seconds * 1e9, n)).astype(np.int64)


def breaks(sent: Sent, *, per_s: float, window_s: float, p99_limit_ns: float) -> Break | None:
    """Why a server did not hold a rate: `errors`, `rate` (under 95% answered) or `p99` (above the limit); None where it did."""
    if sent.errors:
        return "errors"
    if sent.achieved_per_s(window_s) < 0.95 * per_s:
        return "rate"
    ordered = np.sort(sent.latency_ns)
    return "p99" if ordered[int(np.ceil(0.99 * len(ordered))) - 1] > p99_limit_ns else None


def punctual_loop() -> asyncio.AbstractEventLoop:
    """An event loop over `select`, whose timeouts are in microseconds; those of the usual one are rounded up to milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def _spin(left_ns: int) -> None:
    await asyncio.sleep((left_ns - _SPIN_NS) / 1e9 if left_ns > _SPIN_NS else 0)


async def drive(
    intended_ns: np.ndarray,
    send: Callable[[int], Awaitable[int]],
    *,
    give_up_ns: int,
    now: Callable[[], int] = time.perf_counter_ns,
    pause: Callable[[int], Awaitable[None]] = _spin,
) -> Sent:
    """Call `send(i)`, which gives an HTTP status, at each intended time without waiting for earlier ones.

    Args:
        give_up_ns: how long after the last sending to wait for answers.
        now, pause: the clock, and what waits at most so many nanoseconds; tests pass their own.
    """
    n = len(intended_ns)
    sent, done, status = (np.zeros(n, dtype) for dtype in (np.int64, np.int64, np.int16))
    start = now()

    async def one(i: int) -> None:
        sent[i] = now() - start
        try:
            status[i] = await send(i)
        except (OSError, TimeoutError, asyncio.CancelledError):
            status[i] = 0
        done[i] = now() - start

    tasks = []
    for i, at in enumerate(intended_ns.tolist()):
        while (left := start + at - now()) > 0:
            await pause(left)
        tasks.append(asyncio.create_task(one(i)))
        await asyncio.sleep(0)
    _, late = await asyncio.wait(tasks, timeout=give_up_ns / 1e9)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks)
    return Sent(intended_ns, sent, done, status)
