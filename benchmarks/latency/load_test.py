"""What a server costs next to the phone: `pocketrec serve` asked over loopback, at rising rates until it no longer holds them.

Server and client are processes of their own, each on its own processor where there are two. No network is measured: a round-trip
time is a number that is given, recorded, and added in a field of its own.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np

from ...core.atomic import write_npz
from ...core.errors import CheckFailed, InputError
from ...core.queries.query import Catalogue, Query
from ...core.run_dir import Run
from ...runtimes.launch import Outcome, run_worker
from ..serving.server import require_uvicorn
from .cases import Asked, recall_of
from .open_loop_load import ARRIVALS, Sent, breaks
from .server_process import ServerProcess, on_processor, processors, serving_process
from .statistics import percentile, summarize

log = logging.getLogger(__name__)

_WORKER = Path(__file__).with_name("http_load_worker.py")
# 2 s at the lowest rate are 400 requests, enough for a 99th percentile (368). Rates end after two in a row that are not answered.
RATES, SECONDS_PER_RATE = (200, 400, 600, 800, 1000, 1300, 1700, 2200, 3000, 4000), 2.0
P99_LIMIT_MS = 50.0
CONNECTIONS, CLOSED_SAMPLES, CLOSED_WARMUP, _GIVE_UP_S = 64, 1000, 100, 2.0


@dataclass(frozen=True)
class Load:
    """How a server is asked; see `measure_served`."""

    rates: Sequence[float]
    seconds_per_rate: float
    arrivals: str
    seed: int
    p99_limit_ms: float
    rtt_ms: float | None
    closed_samples: int

    def check(self) -> None:
        """Refuse what cannot be done, before anything slow.

        Raises:
            InputError: a number out of range, or a package that is missing.
        """
        wanted = (
            ("rates", min(self.rates, default=1) > 0, "rates above 0", self.rates),
            ("seconds_per_rate", self.seconds_per_rate > 0, "more than 0", self.seconds_per_rate),
            ("arrivals", self.arrivals in ARRIVALS, f"one of {', '.join(ARRIVALS)}", self.arrivals),
            ("p99_limit_ms", self.p99_limit_ms > 0, "more than 0", self.p99_limit_ms),
            ("closed_samples", self.closed_samples > 0, "1 or more", self.closed_samples),
            ("--rtt-ms", self.rtt_ms is None or 0 <= self.rtt_ms < math.inf, "0 or more milliseconds", self.rtt_ms),
        )
        for name, holds, expected, given in wanted:
            if not holds:
                raise InputError(name, expected=expected, given=given, do="choose another")
        require_uvicorn()
        if util.find_spec("aiohttp") is None:
            raise InputError("--served", expected="aiohttp", given="none", do="pip install 'pocketrec[bench]'")


def default_load(rtt_ms: float | None = None) -> Load:
    """What `pocketrec latency RUN --served` does, about 25 s."""
    return Load(RATES, SECONDS_PER_RATE, "poisson", 42, P99_LIMIT_MS, rtt_ms, CLOSED_SAMPLES)


def measure_served(
    run: Run,
    asked: Asked,
    k: int,
    *,
    exact: np.ndarray | None = None,
    index: str = "scann",
    seconds_per_rate: float = SECONDS_PER_RATE,
    rates: Sequence[float] = RATES,
    rtt_ms: float | None = None,
    arrivals: str = "poisson",
    seed: int = 42,
    p99_limit_ms: float = P99_LIMIT_MS,
    closed_samples: int = CLOSED_SAMPLES,
    folder: Path | None = None,
) -> list[dict[str, Any]]:
    """Rows of latency.json for a served run: one client that waits for each answer, then open loops at rising rates.

    A rate is broken when a request failed, when under 95% of it was answered, or when the 99th percentile is past the limit. Rates
    end after two in a row that were broken in one of the first two ways; one alone may be another process's doing.

    Args:
        asked: the queries; they are sent as ids with stars (pocket) or as a user id (tutorial).
        k: how many items an answer holds.
        exact: int64[n_queries, k], rows of the exact answers, for recall; null without.
        index: a key of `serving.INDEXES`.
        rates: requests a second, rising; each for `seconds_per_rate`.
        rtt_ms: a network's round trip, which is not measured: recorded, and added to the median in `p50_plus_rtt_us` only.
        arrivals: `poisson` (seeded) or `constant`.
        folder: where `samples/` with the raw nanoseconds goes.

    Raises:
        InputError: a number out of range, a package or a SavedModel missing.
        CheckFailed: the server or a client died, or an answer was not 200 with nothing else asked.
    """
    load = Load(rates, seconds_per_rate, arrivals, seed, p99_limit_ms, rtt_ms, closed_samples)
    load.check()
    bodies = {"bodies": np.array([body_of(query, asked.catalogue, k) for query in asked.queries], "S")}
    server_cpu, client_cpu = processors()
    rows = []
    log.info("starting the server")
    with serving_process(run.root, index, server_cpu) as server:
        measure = _Client(server, bodies, client_cpu, load)
        log.info("served: one client")
        outcome, floor = measure.closed(), measure.health()
        about = _about(run, asked, k, index, server, client_cpu, load)
        about |= {
            "recall_at_k": None if exact is None else recall_of(outcome, exact, asked.catalogue.items),
            "first_call_ms": outcome.meta["first_call_ns"] / 1e6,
        }
        sent = _sent(outcome)
        if sent.errors:
            raise CheckFailed(f"served: {sent.errors} of {len(sent.status)} requests of a single client failed")
        rows.append(_row(about, sent, None, load, folder, server) | {"http_only_p50_us": floor})
        for rate in load.rates:
            log.info(f"served: {rate:g} requests a second")
            sent = _sent(measure.open(rate))
            rows.append(_row(about, sent, rate, load, folder, server))
            if all(row["breaks"] in ("rate", "errors") for row in rows[-2:]):
                break
    if folder is not None:
        _remove_others(folder / "samples", index, {folder / row["samples_file"] for row in rows})
    return rows


def _remove_others(folder: Path, index: str, kept: set[Path]) -> None:
    """Remove samples of rates that an earlier measurement got to and this one did not."""
    for path in set(folder.glob(f"server-{index}-http-*.npz")) - kept:
        path.unlink()


def body_of(query: Query, names: Catalogue, k: int) -> bytes:
    """A query as `POST /retrieve` takes it."""
    if not names.window:
        return json.dumps({"user": names.users[query.user], "k": k}).encode()
    seen = zip(query.seen[-names.window :].tolist(), query.stars[-names.window :].tolist(), strict=True)
    history = [{"id": names.items[item], **({"stars": stars} if stars else {})} for item, stars in seen]
    return json.dumps({"history": history, "preferences": list(query.preferences), "k": k}).encode()


@dataclass(frozen=True)
class _Client:
    """Runs the load worker against a server."""

    server: ServerProcess
    bodies: Mapping[str, np.ndarray]
    cpu: int | None
    load: Load

    def closed(self) -> Outcome:
        return self._run({"mode": "closed", "clients": 1, "samples": self.load.closed_samples}, 1)

    def health(self) -> float | None:
        """Median round trip of GET /healthz, microseconds: what HTTP costs here with nothing behind it."""
        spec = {"mode": "closed", "clients": 1, "samples": self.load.closed_samples, "method": "GET"}
        sent = _sent(self._run({**spec, "url": f"{self.server.url}/healthz"}, 1, asks=False))
        return percentile(sent.latency_ns / 1e3, 0.5)

    def open(self, rate: float) -> Outcome:
        load = self.load
        spec = {"per_s": rate, "seconds": load.seconds_per_rate, "arrivals": load.arrivals, "seed": load.seed}
        return self._run({"mode": "open", "give_up_s": _GIVE_UP_S, **spec}, CONNECTIONS)

    def _run(self, spec: dict[str, Any], connections: int, *, asks: bool = True) -> Outcome:
        common = {
            "url": f"{self.server.url}/retrieve", "method": "POST", "connections": connections, "warmup": CLOSED_WARMUP,
        }  # fmt: skip
        with on_processor(self.cpu):
            outcome = run_worker([str(_WORKER)], {**common, **spec}, self.bodies if asks else {}, timeout_s=180)
        if not outcome:
            raise CheckFailed(f"served: the client failed: {outcome.reason}")
        return outcome


def _sent(outcome: Outcome) -> Sent:
    return Sent(*(outcome.arrays[name] for name in ("intended_ns", "sent_ns", "done_ns", "status")))


def _about(
    run: Run, asked: Asked, k: int, index: str, server: ServerProcess, client_cpu: int | None, load: Load
) -> dict[str, Any]:
    """What all rows have in common."""
    how = run.run_json["scann"]["configuration"] if index == "scann" else "exact"
    return {
        "subject": f"server/{index}/http", "graph": None, "recipe": None, "runtime": f"tf-{metadata.version('tensorflow')}",
        "target": "host", "threads": None, "batch_size": 1, "n_items": asked.n_items, "k": k, "size_bytes": None,
        "is_exact": how in ("exact", "brute_force"), "covers": "served", "configuration": how, "load_ms": server.load_ms,
        "rss_before_bytes": server.memory("VmRSS"), "server_cpu": server.cpu, "client_cpu": client_cpu,
        "rtt_ms": load.rtt_ms, "p99_limit_ms": load.p99_limit_ms,
    }  # fmt: skip


def _row(
    about: Mapping[str, Any], sent: Sent, rate: float | None, load: Load, folder: Path | None, server: ServerProcess
) -> dict[str, Any]:
    """One row; `rate` is None for the single client."""
    index = about["subject"].split("/")[1]
    window = load.seconds_per_rate if rate else 0.0
    samples = sent.latency_ns[None]
    found = summarize(samples)
    file = f"samples/server-{index}-http-{f'{rate:g}' if rate else 'closed'}.npz" if folder else None
    if folder is not None:
        raw = {"intended_ns": sent.intended_ns, "sent_ns": sent.sent_ns, "done_ns": sent.done_ns, "status": sent.status}
        write_npz(folder / str(file), samples_ns=samples, **raw)
    median = found["p50_us"]
    with_rtt = median + load.rtt_ms * 1e3 if isinstance(median, float) and load.rtt_ms is not None else None
    limit = load.p99_limit_ms * 1e6
    return {
        **about, **found, "peak_rss_bytes": server.memory("VmHWM"), "samples_file": file, "p50_plus_rtt_us": with_rtt,
        "arrivals": load.arrivals if rate else "closed", "connections": CONNECTIONS if rate else 1, "offered_per_s": rate,
        "achieved_per_s": sent.achieved_per_s(window), "errors": sent.errors,
        "send_lag_p50_us": percentile(sent.lag_ns / 1e3, 0.5) if rate else None,
        "send_lag_p99_us": percentile(sent.lag_ns / 1e3, 0.99) if rate else None,
        "breaks": breaks(sent, per_s=rate, window_s=window, p99_limit_ns=limit) if rate else None, "http_only_p50_us": None,
    }  # fmt: skip
