"""Serving a run over HTTP: its retrieval SavedModel in TensorFlow, and the process around it; the interface is in http_app.py."""

import json
import os
import signal
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ...core.errors import InputError, pick
from ...core.queries.held_out import HeldOut
from ...core.run_dir import Run
from .requests import Inputs, RequestParser

if TYPE_CHECKING:
    from fastapi import FastAPI

Signature: TypeAlias = Any  # a TensorFlow concrete function
Uvicorn: TypeAlias = Any  # the module

# Served index to SavedModel.
INDEXES = {"scann": "retrieval_scann", "bruteforce": "retrieval_bruteforce"}
_BACKLOG, _KEEP_ALIVE_S, _GRACE_S = 1024, 75, 10


@dataclass(frozen=True)
class Retrieved:
    """The best items, best first; fewer than asked for where ScaNN searched too few leaves."""

    ids: list[str]
    titles: list[str]
    scores: list[float]


class Retriever:
    """A run's served index: queries in, the best items out. Like any index it does not filter items of the history; what is
    disliked is left out of what it found.

    Attributes:
        requests: parses what clients send.
        by_history: whether queries are histories, not user ids.
        most: how many items a response can hold.
    """

    def __init__(self, run: Run, index: str = "scann") -> None:
        """Load the SavedModel and call it once per width of history, doubling up to the window.

        Raises:
            InputError: an unknown index, no TensorFlow, or a run without that SavedModel.
        """
        folder = run.saved_model(INDEXES[pick("--index", index, INDEXES)])
        if not (folder / "saved_model.pb").is_file():
            do = "make the run again: `pocketrec train --out RUN`"
            raise InputError(str(folder), expected="a SavedModel", given="none", do=do, code="RUN_MISSING")
        names = HeldOut(run).catalogue
        items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
        record = run.record
        self.preset, self.index, self.by_history = record.preset, index, bool(names.window)
        self._ids = [item["id"].encode() for item in items]
        self._titles = {item["id"].encode(): item["title"] for item in items}
        self.requests = RequestParser(
            names,
            [item["title"] for item in items],
            record.data.rating_range,
            reads_dislikes=run.history_weights is not None,
        )
        self._signature = _load(folder)
        self.most = self._warm_up()

    def _warm_up(self) -> int:
        if not self.by_history:
            queries: list[Inputs] = [{"user_id": [self.requests.names.users[0].encode()]}] * 8
        else:
            widths = [2**n for n in range(16) if 2**n <= self.requests.names.window]
            queries = [
                {"watched": [(self._ids * width)[:width]], "stars": [[0.0] * width], "declared": [[b""]]}
                for width in widths
            ]
        return max(len(self(inputs, len(self._ids)).ids) for inputs in queries)

    def __call__(self, inputs: Inputs, k: int, refused: Collection[str] = ()) -> Retrieved:
        """The best `k` items but those refused."""
        answer = self._signature(**{name: inputs[name] for name in self._signature.specs})
        scores, ids = answer["scores"].numpy()[0], answer["ids"].numpy()[0]
        kept = np.isfinite(scores)  # ScaNN fills up with NaN
        if refused:
            kept &= ~np.isin(ids, [item.encode() for item in refused])
        found = ids[kept][:k].tolist()
        return Retrieved(
            [item.decode() for item in found], [self._titles[item] for item in found], scores[kept][:k].tolist()
        )


def _load(folder: Path) -> Signature:
    from ...train.export.savedmodels import load_signature

    try:
        import scann  # noqa: F401  (registers the ops that a ScaNN SavedModel needs)
    except ImportError as error:
        do = "pip install 'pocketrec[train]'"
        raise InputError("serve", expected="scann", given="none", do=do, code="NOT_INSTALLED") from error
    return load_signature(folder, "serving_default")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at once, so that a port in use is found before anything slow; 0 takes a free port.

    Raises:
        InputError: the address cannot be used.
    """
    if not 0 <= port <= 65535:
        do = "choose another, or 0 for a free one"
        raise InputError("--port", expected="0 to 65535", given=port, do=do, code="VALUE_OUT_OF_RANGE")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)  # type: ignore[arg-type]
    except (OSError, UnicodeError) as error:
        is_known = isinstance(error, OSError) and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno or 0) if is_known and isinstance(error, OSError) else "no such address"
        given, do = f"{host}:{port} ({reason})", "choose another, or --port 0"
        raise InputError(
            "--host, --port", expected="a free address", given=given, do=do, code="SERVER_FAILED"
        ) from error


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached."""
    host, port, *_ = listener.getsockname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def workers() -> int:
    """Threads that call TensorFlow: one per processor."""
    return len(os.sched_getaffinity(0))


def run_server(
    app: "FastAPI", listener: socket.socket, *, ready: Callable[[], None], log_requests: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT, answer the requests in flight (for at most 10 s), and return.

    Raises:
        InputError: uvicorn is not installed.
    """
    uvicorn = require_uvicorn()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            ready()

    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="info" if log_requests else "warning",
        access_log=log_requests,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    # uvicorn raises the signal that stopped it again, but a requested stop is a success.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        Server(config).run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require_uvicorn() -> Uvicorn:
    """The uvicorn module.

    Raises:
        InputError: a package of the extra `serve` is missing.
    """
    try:
        import fastapi  # noqa: F401
        import httptools  # noqa: F401
        import uvicorn
        import uvloop  # noqa: F401
    except ImportError as error:
        given, do = f"no {error.name}", "pip install 'pocketrec[train,serve]'"
        raise InputError("serve", expected="FastAPI and uvicorn", given=given, do=do, code="NOT_INSTALLED") from error
    return uvicorn
