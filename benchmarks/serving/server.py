"""Serving a run over HTTP: its retrieval SavedModel in TensorFlow, and the process around it. http_app.py has the interface."""

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import InputError, pick
from ...core.queries.held_out import HeldOut
from ...core.run_dir import Run
from .requests import RequestParser

# Served index to SavedModel.
INDEXES = {"scann": "retrieval_scann", "bruteforce": "retrieval_bruteforce"}
_BACKLOG, _KEEP_ALIVE_S, _GRACE_S = 1024, 75, 10


class Retriever:
    """A run's served index: questions in, the best items out. Items that were watched are not left out, as in any index.

    Attributes:
        requests: parses what clients send.
        by_history: whether they ask with a history, or with a user id.
        most: how many items an answer can hold.
    """

    def __init__(self, run: Run, index: str = "scann") -> None:
        """Load the SavedModel and ask it once for every width of history up to the window that doubles.

        Raises:
            InputError: an unknown index, no TensorFlow, or a run without that SavedModel.
        """
        folder = run.saved_model(INDEXES[pick("--index", index, INDEXES)])
        if not (folder / "saved_model.pb").is_file():
            raise InputError(
                str(folder), expected="a SavedModel", given="none", do="make the run again: `pocketrec train --out RUN`"
            )
        names = HeldOut(run).catalogue
        items = json.loads((run.trained / "items.json").read_text(encoding="utf-8"))
        self.preset, self.index, self.by_history = run.run_json["preset"], index, bool(names.window)
        self._ids = [item["id"].encode() for item in items]
        self._titles = {item["id"].encode(): item["title"] for item in items}
        self.requests = RequestParser(names, [item["title"] for item in items], run.run_json["data"]["rating_range"])
        self._signature = _load(folder)
        self.most = self._warm_up()

    def _warm_up(self) -> int:
        if not self.by_history:
            asked = [{"user_id": [self.requests.names.users[0].encode()]}] * 8
        else:
            widths = [2**n for n in range(16) if 2**n <= self.requests.names.window]
            asked = [{"watched": [(self._ids * width)[:width]], "declared": [[b""]]} for width in widths]
        return max(len(self(inputs, len(self._ids))["ids"]) for inputs in asked)

    def __call__(self, inputs: Any, k: int) -> dict[str, list[Any]]:
        """The best `k` items: ids, titles and scores, best first; fewer where ScaNN searched too few leaves to find so many."""
        answer = self._signature(**inputs)
        scores, ids = answer["scores"].numpy()[0, :k], answer["ids"].numpy()[0, :k]
        kept = np.isfinite(scores)  # ScaNN fills up with NaN
        found = ids[kept].tolist()
        return {
            "ids": [item.decode() for item in found],
            "titles": [self._titles[item] for item in found],
            "scores": scores[kept].tolist(),
        }


def _load(folder: Path) -> Any:
    from ...train.export.savedmodels import load_signature

    try:
        import scann  # noqa: F401  (registers the ops that a ScaNN SavedModel needs)
    except ImportError as error:
        raise InputError(
            "scann", expected="scann installed", given="none", do="pip install 'pocketrec[train]'"
        ) from error
    return load_signature(folder, "serving_default")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at once, so that a port in use is found before anything slow; 0 takes a free port.

    Raises:
        InputError: the address cannot be used.
    """
    if not 0 <= port <= 65535:
        raise InputError("--port", expected="0 to 65535", given=port, do="choose another, or 0 for a free one")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)  # type: ignore[arg-type]
    except (OSError, UnicodeError) as error:
        is_known = isinstance(error, OSError) and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno or 0) if is_known and isinstance(error, OSError) else "no such address"
        raise InputError(
            "--host, --port",
            expected="a free address",
            given=f"{host}:{port} ({reason})",
            do="choose another, or --port 0",
        ) from error


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached."""
    host, port, *_ = listener.getsockname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def workers() -> int:
    """Threads that ask TensorFlow: one a processor."""
    return len(os.sched_getaffinity(0))


def run_server(app: Any, listener: socket.socket, *, ready: Callable[[], None], log_requests: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, answer what is in flight (for at most 10 s), and return.

    Raises:
        InputError: uvicorn is not installed.
    """
    uvicorn = require_uvicorn()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            ready()

    config = uvicorn.Config(
        app, http="httptools", loop="uvloop", ws="none", lifespan="off", log_level="info" if log_requests else "warning",
        access_log=log_requests, server_header=False, backlog=_BACKLOG, timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )  # fmt: skip
    # uvicorn raises the signal that stopped it again; a stop that was asked for is a success.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        Server(config).run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require_uvicorn() -> Any:
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
        raise InputError(
            "serve", expected="FastAPI and uvicorn", given=f"no {error.name}", do="pip install 'pocketrec[train,serve]'"
        ) from error
    return uvicorn
