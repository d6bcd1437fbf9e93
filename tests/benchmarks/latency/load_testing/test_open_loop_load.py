"""The load generator's timing on a clock of its own, to the millisecond."""

import asyncio

import numpy as np
import pytest
from pocketrec.benchmarks.latency.load_testing.open_loop_load import Sent, breaks, drive, intended_times

MS = 1_000_000


class Virtual(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still but for sleeping, which takes no time."""

    def __init__(self):
        super().__init__()
        self.ns, select = 0, self._selector.select

        def at_once(timeout=None):
            self.ns += round((timeout or 0) * 1e9)
            return select(0)

        self._selector.select = at_once

    def time(self):
        return self.ns / 1e9


def driven(intended_ms, serve, *, give_up_ms=1000):
    """`drive` at these times against `serve(i, loop)`, both on the virtual clock."""
    loop = Virtual()
    try:
        return loop.run_until_complete(
            drive(
                np.array(intended_ms) * MS,
                lambda i: serve(i, loop),
                give_up_ns=give_up_ms * MS,
                now=lambda: loop.ns,
                pause=lambda left: asyncio.sleep(left / 1e9),
            )
        )
    finally:
        loop.close()


def one_at_a_time(service_ms):
    """A server that answers in order, each request in so many milliseconds."""
    free = asyncio.Lock()

    async def serve(i, loop):
        async with free:
            await asyncio.sleep(service_ms[i] / 1e3)
        return 200

    return serve


def in_ms(values):
    return np.round(values / MS).astype(int).tolist()


def test_constant_arrivals_are_evenly_spaced():
    assert intended_times(100, 0.05, arrivals="constant").tolist() == [0, 10 * MS, 20 * MS, 30 * MS, 40 * MS]
    assert intended_times(3, 1, arrivals="constant").tolist() == [0, 333_333_333, 666_666_667]


def test_poisson_arrivals_offer_the_rate_asked_for_with_exponential_gaps():
    times = intended_times(1000, 20, seed=7)
    assert len(times) == 20_000 and times.dtype == np.int64
    assert times[0] >= 0 and times[-1] < 20e9 and (np.diff(times) >= 0).all()
    gaps = np.diff(times)
    assert abs(gaps.std() / gaps.mean() - 1) < 0.03, "as wide as its mean: exponential"
    assert np.array_equal(times, intended_times(1000, 20, seed=7))
    assert not np.array_equal(times, intended_times(1000, 20, seed=8))


def test_a_stall_shows_in_every_request_it_held_up():
    service = [1, 1, 1, 50, 1, 1, 1, 1, 1, 1]
    sent = driven(range(0, 100, 10), one_at_a_time(service))
    assert in_ms(sent.latency_ns) == [1, 1, 1, 50, 41, 32, 23, 14, 5, 1]
    assert in_ms(sent.sent_ns) == list(range(0, 100, 10)), "nobody waited for the answer to another"
    assert sent.errors == 0


def test_a_client_that_is_late_says_so_and_it_counts():
    async def serve(i, loop):
        if i == 2:
            loop.ns += 25 * MS  # the client itself was held up
        return 200

    sent = driven([0, 10, 20, 30, 40, 50], serve)
    assert in_ms(sent.lag_ns) == [0, 0, 0, 15, 5, 0]
    assert in_ms(sent.latency_ns) == [0, 0, 25, 15, 5, 0]


def test_requests_that_fail_or_never_end_are_counted_with_the_time_they_took():
    async def serve(i, loop):
        await asyncio.sleep(0.001)
        if i == 1:
            raise ConnectionResetError
        if i == 2:
            await asyncio.sleep(3600)
        return 503 if i == 3 else 200

    sent = driven([0, 10, 20, 30, 40], serve, give_up_ms=100)
    assert sent.status.tolist() == [200, 0, 0, 503, 200] and sent.errors == 3
    assert in_ms(sent.latency_ns) == [1, 1, 120, 1, 1]


def answered(latency_ms, *, status=200):
    intended = np.arange(100) * 10 * MS
    done = intended + np.broadcast_to(np.array(latency_ms) * MS, 100)
    return Sent(intended, intended, done, np.full(100, status, np.int16))


def test_achieved_rate_counts_good_answers_until_the_last():
    assert answered(5).achieved_per_s(1.0) == 100.0
    assert answered(1010).achieved_per_s(1.0) == 50.0, "the last came at 2 s"
    assert answered(5, status=500).achieved_per_s(1.0) == 0.0


@pytest.mark.parametrize(
    ("sent", "limit_ms", "why"),
    [
        (answered(50), 50, None),
        (answered([1] * 99 + [51]), 50, None),  # one of a hundred is past the limit: the 99th is not
        (answered([1] * 98 + [51] * 2), 50, "p99"),
        (answered(51), 50, "p99"),
        (answered(62), 1000, None),  # 100 answers in 1.052 s
        (answered(63), 1000, "rate"),  # in 1.053 s
        (answered(5, status=503), 50, "errors"),
    ],
)
def test_why_a_rate_was_not_held(sent, limit_ms, why):
    assert breaks(sent, per_s=100, window_s=1.0, p99_limit_ns=limit_ms * MS) == why
