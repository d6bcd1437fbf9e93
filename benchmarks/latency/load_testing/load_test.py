"""What a server costs next to the phone: `pocketrec serve` over loopback, at rising request rates until it no longer holds them.

Server and client are processes of their own, each on its own processor where there are two. No network is measured: a round-trip
time is a number that is given, recorded, and added in a field of its own.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import util
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ....core.errors import CheckFailed, InputError
from ....core.files.atomic import write_npz
from ....core.queries.query import Catalogue, Query
from ....core.records.latency import CaseFields, LatencyRow
from ....core.run_dir import Run
from ....runtimes.launch import Outcome, run_worker
from ....runtimes.runtimes import SAVED_MODEL_RUNTIME
from ...serving.server import require_uvicorn
from ..latency_queries import LatencyQueries, recall_of
from ..statistics import percentile, summarize
from .open_loop_load import ARRIVALS, Arrivals, Sent, breaks
from .server_process import ServerProcess, on_processor, processors, serving_process

log = logging.getLogger(__name__)

HTTP_LOAD_WORKER = Path(__file__).with_name("http_load_worker.py")
# 2 s at the lowest rate are 400 requests, enough for a 99th percentile (368). Rates end after two in a row that were not answered.
RATES, SECONDS_PER_RATE = (200, 400, 600, 800, 1000, 1300, 1700, 2200, 3000, 4000), 2.0
P99_LIMIT_MS = 50.0
CONNECTIONS, CLOSED_SAMPLES, CLOSED_WARMUP, _GIVE_UP_S = 64, 1000, 100, 2.0
_CLIENT_TIMEOUT_S = 180
Spec: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Load:
    """How a server is load-tested; the defaults are those of `pocketrec latency RUN --served`, about 25 s.

    Attributes:
        rates: requests per second, rising; each for `seconds_per_rate`.
        arrivals: `poisson` (seeded) or `constant`.
        p99_limit_ms: a rate whose 99th percentile is above this is not held.
        rtt_ms: round trip of a network, which is not measured: recorded, and added to the median in `p50_plus_rtt_us` only.
        closed_samples: requests of the single client that waits for each answer.
        index: a key of `serving.INDEXES`.
    """

    rates: Sequence[float] = RATES
    seconds_per_rate: float = SECONDS_PER_RATE
    arrivals: Arrivals = "poisson"
    seed: int = 42
    p99_limit_ms: float = P99_LIMIT_MS
    rtt_ms: float | None = None
    closed_samples: int = CLOSED_SAMPLES
    index: str = "scann"

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
                raise InputError(name, expected=expected, given=given, do="choose another", code="VALUE_OUT_OF_RANGE")
        require_uvicorn()
        if util.find_spec("aiohttp") is None:
            raise InputError(
                "--served", expected="aiohttp", given="none", do="pip install 'pocketrec[bench]'", code="NOT_INSTALLED"
            )


def measure_served(
    run: Run,
    queries: LatencyQueries,
    k: int,
    load: Load,
    *,
    exact: np.ndarray | None = None,
    folder: Path | None = None,
) -> list[LatencyRow]:
    """Rows of latency.json for a served run: one client that waits for each answer, then open loops at rising rates.

    A rate is not held when a request failed, when under 95% of it was answered, or when the 99th percentile is above the limit.
    Rates end after two in a row that were not held for one of the first two reasons; a single one may be another process's doing.

    Args:
        queries: what is sent: ids with ratings (pocket) or a user id (tutorial).
        k: results per answer.
        exact: int64[n_queries, k], the exact best items, for recall; null without.
        folder: where `samples/` with the raw nanoseconds goes.

    Raises:
        InputError: a number out of range, a package or a SavedModel missing.
        CheckFailed: the server or a client died, or a request failed while there was no other.
    """
    load.check()
    server_cpu, client_cpu = processors()
    log.info("starting the server")
    with serving_process(run.root, load.index, server_cpu) as server:
        client = _Client(server, _bodies(queries, k), client_cpu, load)
        log.info("served: one client")
        outcome, floor = client.closed(), client.health()
        sent = _sent(outcome)
        if sent.errors:
            text = f"served: {sent.errors} of {len(sent.status)} requests of a single client failed"
            raise CheckFailed(text, code="SERVER_FAILED")
        recall = None if exact is None else recall_of(outcome, exact, queries.catalogue.items)
        make = _Rows(
            run,
            queries,
            k,
            load,
            server,
            client_cpu,
            recall,
            folder,
            first_call_ms=outcome.meta["first_call_ns"] / 1e6,
            rss_before_bytes=server.memory("VmRSS"),
        )
        rows = [make.row(sent, None, http_only_p50_us=floor)]
        for rate in load.rates:
            log.info(f"served: {rate:g} requests a second")
            rows.append(make.row(_sent(client.open(rate)), rate))
            if all(row.breaks in ("rate", "errors") for row in rows[-2:]):
                break
    if folder is not None:
        _remove_others(folder / "samples", load.index, {folder / str(row.samples_file) for row in rows})
    return rows


def _bodies(queries: LatencyQueries, k: int) -> dict[str, np.ndarray]:
    return {"bodies": np.array([body_of(query, queries.catalogue, k) for query in queries.queries], "S")}


def _remove_others(folder: Path, index: str, kept: set[Path]) -> None:
    """Remove samples of rates that an earlier measurement reached and this one did not."""
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
        return self._run({"mode": "closed", "clients": 1, "samples": self.load.closed_samples}, 1, self.bodies)

    def health(self) -> float | None:
        """Median round trip of GET /healthz, microseconds: what HTTP costs here with nothing behind it."""
        spec: Spec = {"mode": "closed", "clients": 1, "samples": self.load.closed_samples, "method": "GET"}
        sent = _sent(self._run({**spec, "url": f"{self.server.url}/healthz"}, 1, {}))
        return percentile(sent.latency_ns / 1e3, 0.5)

    def open(self, rate: float) -> Outcome:
        load = self.load
        spec = {"per_s": rate, "seconds": load.seconds_per_rate, "arrivals": load.arrivals, "seed": load.seed}
        return self._run({"mode": "open", "give_up_s": _GIVE_UP_S, **spec}, CONNECTIONS, self.bodies)

    def _run(self, spec: Spec, connections: int, bodies: Mapping[str, np.ndarray]) -> Outcome:
        common = {
            "url": f"{self.server.url}/retrieve",
            "method": "POST",
            "connections": connections,
            "warmup": CLOSED_WARMUP,
        }
        with on_processor(self.cpu):
            outcome = run_worker([str(HTTP_LOAD_WORKER)], {**common, **spec}, bodies, timeout_s=_CLIENT_TIMEOUT_S)
        if not outcome:
            raise CheckFailed(f"served: the client failed: {outcome.reason}", code="WORKER_FAILED")
        return outcome


def _sent(outcome: Outcome) -> Sent:
    return Sent(*(outcome.arrays[name] for name in ("intended_ns", "sent_ns", "done_ns", "status")))


@dataclass(frozen=True)
class _Rows:
    """Makes the rows of one load test, and writes their raw samples."""

    run: Run
    queries: LatencyQueries
    k: int
    load: Load
    server: ServerProcess
    client_cpu: int | None
    recall: float | None
    folder: Path | None
    first_call_ms: float
    rss_before_bytes: int

    def row(self, sent: Sent, rate: float | None, http_only_p50_us: float | None = None) -> LatencyRow:
        """One row; `rate` is None for the single client."""
        load, window, samples = self.load, self.load.seconds_per_rate if rate else 0.0, sent.latency_ns[None]
        found, limit = summarize(samples), load.p99_limit_ms * 1e6
        with_rtt = found.p50_us + load.rtt_ms * 1e3 if found.p50_us is not None and load.rtt_ms is not None else None
        return LatencyRow(
            **asdict(self._fields(rate)),
            **asdict(found),
            recall_at_k=self.recall,
            load_ms=self.server.load_ms,
            first_call_ms=self.first_call_ms,
            rss_before_bytes=self.rss_before_bytes,
            peak_rss_bytes=self.server.memory("VmHWM"),
            samples_file=self._write(sent, rate),
            achieved_per_s=sent.achieved_per_s(window),
            errors=sent.errors,
            breaks=breaks(sent, per_s=rate, window_s=window, p99_limit_ns=limit) if rate else None,
            p99_limit_ms=load.p99_limit_ms,
            rtt_ms=load.rtt_ms,
            p50_plus_rtt_us=with_rtt,
            http_only_p50_us=http_only_p50_us,
            send_lag_p50_us=percentile(sent.lag_ns / 1e3, 0.5) if rate else None,
            send_lag_p99_us=percentile(sent.lag_ns / 1e3, 0.99) if rate else None,
            server_cpu=self.server.cpu,
            client_cpu=self.client_cpu,
        )

    def _fields(self, rate: float | None) -> CaseFields:
        how = self.run.record.scann_configuration if self.load.index == "scann" else "exact"
        return CaseFields(
            subject=f"server/{self.load.index}/http",
            runtime=SAVED_MODEL_RUNTIME,
            batch_size=1,
            n_items=self.queries.n_items,
            k=self.k,
            is_exact=how in ("exact", "brute_force"),
            covers="served",
            configuration=how,
            arrivals=self.load.arrivals if rate else "closed",
            connections=CONNECTIONS if rate else 1,
            offered_per_s=rate,
        )

    def _write(self, sent: Sent, rate: float | None) -> str | None:
        if self.folder is None:
            return None
        file = f"samples/server-{self.load.index}-http-{f'{rate:g}' if rate else 'closed'}.npz"
        raw = {"intended_ns": sent.intended_ns, "sent_ns": sent.sent_ns, "done_ns": sent.done_ns, "status": sent.status}
        write_npz(self.folder / file, samples_ns=sent.latency_ns[None], **raw)
        return file
