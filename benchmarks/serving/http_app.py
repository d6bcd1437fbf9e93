"""The HTTP interface of `pocketrec serve`.

    POST /retrieve    a JSON question (Content-Type: application/json, at most 256 KiB), by the run's preset:

        pocket        {"history": [{"title": "Speed (1994)", "stars": 5}, {"id": "50"}], "preferences": ["Sci-Fi"], "k": 10}
        tutorial      {"user": "42", "k": 10}

    GET /healthz      {"status": "ok", "preset", "index", "k"}: ready, and how many items an answer can hold
    GET /openapi.json the same as a schema

A film is named by id or by title, oldest first; stars may be left out. History and preferences are read as `pocketrec recommend`
reads them: unknown names are refused, or unknown films left out with `"skip_unknown": true`. `k` is 1 to what the index returns,
and that by default. The retriever looks at which films were watched, not at their stars, and leaves none of them out.

An answer is `{"ids", "titles", "scores", "notes"}`, best first; notes say what was noticed, such as a history beyond the window.
Everything else is `{"detail": "one line"}`: 400 no JSON, 404 no such path, 405 wrong method, 413 too large, 415 no JSON by its
Content-Type, 422 a question that cannot be understood.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...core.documents import kit_version
from ...core.errors import InputError
from ...core.queries.history_parsing import HistoryEntry

MAX_BODY_BYTES = 256 * 1024

_Name = Annotated[str, Field(min_length=1, max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Film(_Strict):
    """A film of a history: by id or by title, with stars where any were given."""

    id: _Name | None = None
    title: _Name | None = None
    stars: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_name(self) -> "Film":
        if (self.id is None) == (self.title is None):
            raise ValueError("expected either an id or a title")
        return self


class HistoryQuestion(_Strict):
    """Who asks, said as what they watched, oldest first, and what they declared."""

    history: list[Film] = []
    preferences: list[_Name] = []
    k: int | None = None
    skip_unknown: bool = False


class UserQuestion(_Strict):
    """Who asks, said as a user id known to the models."""

    user: _Name
    k: int | None = None


class Answer(BaseModel):
    """Items, best first."""

    ids: list[str]
    titles: list[str]
    scores: list[float]
    notes: list[str]


def _entry(film: Film) -> HistoryEntry:
    if film.id is not None:
        return HistoryEntry(film.id, film.stars, "id")
    return HistoryEntry(film.title or "", film.stars, "title")


def make_app(retriever: Any, *, threads: int = 1) -> FastAPI:
    """The application over a `serving.Retriever`; TensorFlow is asked in `threads` threads, so that the event loop stays free."""
    app = FastAPI(title="pocketrec", version=kit_version(), docs_url=None, redoc_url=None)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="retrieve")

    async def answer(inputs: Any, k: int | None, notes: list[str]) -> Answer:
        if k is not None and not 1 <= k <= retriever.most:
            expected = f"1 to {retriever.most}, what the index returns"
            raise InputError("k", expected=expected, given=k, do="choose another")
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(pool, retriever, inputs, k or retriever.most)
        return Answer(**found, notes=notes)

    async def by_history(question: HistoryQuestion) -> Answer:
        history = [_entry(film) for film in question.history]
        asked = retriever.requests.of_history(history, question.preferences, skip_unknown=question.skip_unknown)
        return await answer(asked[0], question.k, asked[1])

    async def by_user(question: UserQuestion) -> Answer:
        return await answer(retriever.requests.of_user(question.user), question.k, [])

    async def healthz() -> dict[str, Any]:
        return {"status": "ok", "preset": retriever.preset, "index": retriever.index, "k": retriever.most}

    app.post("/retrieve")(by_history if retriever.by_history else by_user)
    app.get("/healthz")(healthz)
    app.exception_handler(InputError)(_refuse)
    app.exception_handler(RequestValidationError)(_refuse_invalid)
    app.exception_handler(400)(_refuse_unreadable)
    app.add_middleware(_Limits)
    return app


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    return _detail(422, str(error))


async def _refuse_invalid(request: Request, error: Exception) -> JSONResponse:
    first = error.errors()[0]  # type: ignore[attr-defined]
    if first["type"] == "json_invalid":
        return _detail(400, f"body: expected JSON, got {first['ctx']['error']} at byte {first['loc'][-1]}")
    if first["loc"] == ("body",) and first["type"] == "missing":
        return _detail(400, "body: expected JSON, got nothing")
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"][1:]).lstrip(".")
    given = "" if isinstance(first.get("input"), dict | list) else f", got {first.get('input')!r:.80}"
    return _detail(422, f"{where or 'body'}: {first['msg'].removeprefix('Value error, ')}{given}")


async def _refuse_unreadable(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's own 400: bytes that are no UTF-8, JSON too deep or a number too long for Python."""
    return _detail(400, "body: expected JSON, got what cannot be read as such")


def _detail(status: int, text: str) -> JSONResponse:
    # What is echoed may hold half a surrogate pair, which JSON can say and UTF-8 cannot.
    return JSONResponse({"detail": text.encode("utf-8", "replace").decode()}, status)


class _Limits:
    """ASGI middleware: what is not JSON or too large is refused before it is read."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
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


def _counted(receive: Any) -> Any:
    """`receive` that gives up once a body sent in chunks is too large."""
    size = 0

    async def counted() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return counted
