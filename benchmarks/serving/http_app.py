"""The HTTP interface of `pocketrec serve`.

    POST /retrieve    a JSON query (Content-Type: application/json, at most 256 KiB), in the form of the run's preset:

        pocket        {"history": [{"title": "Speed (1994)", "stars": 5}, {"id": "50"}], "dislike": [{"title": "Babe (1995)"}],
                       "preferences": ["Sci-Fi"], "k": 10}
        tutorial      {"user": "42", "k": 10}

    GET /healthz      {"status": "ok", "preset", "index", "k"}: ready, and how many items an answer can hold
    GET /openapi.json the same as a schema

Items are named by id or by title, oldest first; ratings (`stars`) are optional. History and preferences are parsed by the rules of
`pocketrec recommend`: unknown names are refused, or with `"skip_unknown": true` unknown items are left out. `k` is at most what the
index returns, and that by default. The answer may hold items of the history; what is disliked is left out of what the index
found, and other items of its title with it.

The response is `{"ids", "titles", "scores", "notes"}`, best first; notes report, for example, a history longer than the window.
Every other response is `{"detail": "one line"}`: 400 not JSON, 404 no such path, 405 wrong method, 413 too large, 415 wrong
Content-Type, 422 a query that cannot be parsed; of names and numbers that are refused it has a `"code"` too (core/error_codes.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...core.documents import kit_version
from ...core.errors import InputError
from ...core.queries.history_parsing import HistoryEntry

if TYPE_CHECKING:
    from .requests import Asked
    from .server import Retriever

# ASGI's own types.
Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = Message
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 256 * 1024

_Name = Annotated[str, Field(min_length=1, max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NamedItem(_Strict):
    """An item: by id or by title."""

    id: _Name | None = None
    title: _Name | None = None

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.id is None) == (self.title is None):
            raise ValueError("expected either an id or a title")
        return self

    def entry(self, stars: float | None = None) -> HistoryEntry:
        """What the parser reads."""
        if self.id is not None:
            return HistoryEntry(self.id, stars, "id")
        return HistoryEntry(self.title or "", stars, "title")


class HistoryItem(NamedItem):
    """An item of a history, with a rating where one was given."""

    stars: Annotated[float, Field(allow_inf_nan=False)] | None = None


class HistoryQuery(_Strict):
    """A user described by their history, oldest first, what they dislike, and declared preferences."""

    history: list[HistoryItem] = []
    dislike: list[NamedItem] = []
    preferences: list[_Name] = []
    k: int | None = None
    skip_unknown: bool = False


class UserQuery(_Strict):
    """A user known to the models, by id."""

    user: _Name
    k: int | None = None


class Answer(BaseModel):
    """Items, best first."""

    ids: list[str]
    titles: list[str]
    scores: list[float]
    notes: list[str]


def make_app(retriever: "Retriever", *, threads: int = 1) -> FastAPI:
    """The application over a retriever, which runs in `threads` threads, so that the event loop stays free."""
    app = FastAPI(title="pocketrec", version=kit_version(), docs_url=None, redoc_url=None)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="retrieve")

    async def answer(asked: "Asked", k: int | None) -> Answer:
        if k is not None and not 1 <= k <= retriever.most:
            expected = f"1 to {retriever.most}, what the index returns"
            raise InputError("k", expected=expected, given=k, do="choose another", code="VALUE_OUT_OF_RANGE")
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(pool, retriever, asked.inputs, k or retriever.most, asked.refused)
        return Answer(ids=found.ids, titles=found.titles, scores=found.scores, notes=asked.notes)

    async def by_history(query: HistoryQuery) -> Answer:
        history = [item.entry(item.stars) for item in query.history]
        dislike = [item.entry() for item in query.dislike]
        parser, skip = retriever.requests, query.skip_unknown
        return await answer(parser.of_history(history, query.preferences, dislike, skip_unknown=skip), query.k)

    async def by_user(query: UserQuery) -> Answer:
        return await answer(retriever.requests.of_user(query.user), query.k)

    async def healthz() -> Mapping[str, str | int]:
        return {"status": "ok", "preset": retriever.preset, "index": retriever.index, "k": retriever.most}

    app.post("/retrieve")(by_history if retriever.by_history else by_user)
    app.get("/healthz")(healthz)
    app.exception_handler(InputError)(_refuse)
    app.exception_handler(RequestValidationError)(_refuse_invalid)
    app.exception_handler(400)(_refuse_unreadable)
    app.add_middleware(_Limits)
    return app


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    return _detail(422, str(error), error.code if isinstance(error, InputError) else None)


async def _refuse_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _detail(400, f"body: expected JSON, got {first['ctx']['error']} at byte {first['loc'][-1]}")
    if first["loc"] == ("body",) and first["type"] == "missing":
        return _detail(400, "body: expected JSON, got nothing")
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"][1:]).lstrip(".")
    given = "" if isinstance(first.get("input"), dict | list) else f", got {first.get('input')!r:.80}"
    return _detail(422, f"{where or 'body'}: {first['msg'].removeprefix('Value error, ')}{given}")


async def _refuse_unreadable(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's own 400: bytes that are not UTF-8, JSON nested too deeply or a number too long for Python."""
    return _detail(400, "body: expected JSON, got something that cannot be parsed")


def _detail(status: int, text: str, code: str | None = None) -> JSONResponse:
    # Echoed input may hold an unpaired surrogate, which JSON can express and UTF-8 cannot.
    detail = {"detail": text.encode("utf-8", "replace").decode()}
    return JSONResponse(detail if code is None else {**detail, "code": code}, status)


class _Limits:
    """ASGI middleware that refuses a body that is not JSON or too large before it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if kind != b"application/json":
            given = kind.decode("latin-1") or "none"
            refusal = _detail(415, f"Content-Type: expected application/json, got {given:.80}")
        elif int(headers.get(b"content-length", b"0")) > MAX_BODY_BYTES:
            refusal = _detail(413, _TOO_LARGE)
        else:
            return await self._app(scope, _counted(receive), send)
        return await refusal(scope, receive, send)


_TOO_LARGE = f"body: expected at most {MAX_BODY_BYTES} bytes, got more"


def _counted(receive: Receive) -> Receive:
    """`receive` that stops once a body sent in chunks is too large."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return counted
