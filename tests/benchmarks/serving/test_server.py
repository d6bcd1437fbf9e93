"""A real server process: what it answers, what it refuses, and how it ends."""

import asyncio
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest
from pocketrec.benchmarks.latency.latency_queries import latency_queries
from pocketrec.benchmarks.latency.load_testing.load_test import HTTP_LOAD_WORKER, body_of
from pocketrec.benchmarks.latency.load_testing.server_process import serving_process
from pocketrec.benchmarks.serving.http_app import MAX_BODY_BYTES, make_app
from pocketrec.benchmarks.serving.requests import RequestParser
from pocketrec.benchmarks.serving.server import Retrieved
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.query import Catalogue
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.launch import run_worker

from tests.conftest import raises, refused

JSON = {"Content-Type": "application/json"}
TEN_MB = 10_000_000


@pytest.fixture(scope="module")
def server(run):
    with serving_process(run) as process:
        yield process


def connected(url):
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)


def ask(url, body, *, path="/retrieve", method="POST", headers=JSON):
    """(status, JSON answer); `body` is sent as it is when it is bytes."""
    connection = connected(url)
    try:
        connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_it_says_that_it_is_ready(server):
    status, answer = ask(server.url, b"", path="/healthz", method="GET")
    assert (status, answer) == (200, {"status": "ok", "preset": "pocket", "index": "scann", "k": 100})


def direct(folder, inputs):
    import scann  # noqa: F401
    from pocketrec.train.export.savedmodels import load_signature

    answer = load_signature(folder, "serving_default")(**inputs)
    return [item.decode() for item in answer["ids"].numpy()[0]], answer["scores"].numpy()[0].tolist()


def test_answers_are_the_saved_models(server, run):
    data = HeldOut(Run(run))
    query = data.queries[3]
    status, answer = ask(server.url, body_of(query, data.catalogue, 100))
    seen = [data.items[item].encode() for item in query.seen[-data.catalogue.window :]]
    stars = query.stars[-data.catalogue.window :].tolist()
    ids, scores = direct(
        run / "trained" / "retrieval_scann",
        {"watched": [seen], "stars": [stars], "declared": [[token.encode() for token in query.preferences]]},
    )
    assert status == 200 and answer["ids"] == ids and np.allclose(answer["scores"], scores, rtol=1e-6)
    titles = {item["id"]: item["title"] for item in json.loads((run / "trained" / "items.json").read_text())}
    assert answer["titles"] == [titles[item] for item in ids]


def test_a_user_keyed_run_is_asked_by_user(tutorial_run):
    with serving_process(tutorial_run, "bruteforce") as server:
        status, answer = ask(server.url, {"user": "42", "k": 7})
        ids, _ = direct(tutorial_run / "trained" / "retrieval_bruteforce", {"user_id": [b"42"]})
        assert status == 200 and answer["ids"] == ids[:7]
        status, answer = ask(server.url, {"user": "nobody"})
        assert (status, answer["code"]) == (422, "USER_UNKNOWN") and "'nobody'" in answer["detail"]
        assert ask(server.url, {"history": [{"title": "Speed (1994)"}]})[0] == 422


def test_titles_ids_and_what_was_noticed(server):
    by_title = {
        "history": [{"title": "Speed (1994)", "stars": 5}, {"title": "Contact (1997)"}],
        "preferences": ["sci-fi"],
    }
    by_id = {"history": [{"id": "568", "stars": 5.0}, {"id": "258", "stars": None}], "preferences": ["genre:Sci-Fi"]}
    first, second = ask(server.url, by_title), ask(server.url, by_id)
    assert first == second and first[0] == 200 and len(first[1]["ids"]) == 100 and first[1]["notes"] == []
    scores = first[1]["scores"]
    assert scores == sorted(scores, reverse=True)
    noticed = {"history": [{"id": "1"}, {"id": "1"}, {"title": "No such film"}], "skip_unknown": True, "k": 1}
    status, answer = ask(server.url, noticed)
    assert status == 200 and len(answer["ids"]) == 1
    left_out, repeated = answer["notes"]
    assert "'No such film'" in left_out and "1" in repeated
    whole = {"history": [{"id": str(n)} for n in range(1, 302)], "k": 1}
    (too_long,) = ask(server.url, whole)[1]["notes"]
    assert "301" in too_long and "256" in too_long


def test_what_is_disliked_stays_away_with_what_is_alike(server):
    disliked = {"dislike": [{"title": "Star Wars (1977)"}], "k": 10}
    status, answer = ask(server.url, disliked)
    assert status == 200 and answer["notes"] == []
    assert {"Star Wars (1977)", "Return of the Jedi (1983)", "Empire Strikes Back, The (1980)"}.isdisjoint(
        answer["titles"]
    )
    history = {"history": [{"title": "Speed (1994)"}, {"title": "Star Wars (1977)", "stars": 5}]}
    status, answer = ask(server.url, history | disliked)
    assert "Star Wars (1977)" not in answer["titles"] and len(answer["notes"]) == 1


# Body, status, code of the kit where the query was parsed, and the field or value that is named.
BAD = {
    "no JSON": (b"{", 400, None, "body"),
    "nothing": (b"", 400, None, "body"),
    "no UTF-8": (b"\xff\xfe{", 400, None, "body"),
    "too deep": (b"[" * 100_000, 400, None, "body"),
    "number too long": (b'{"k": ' + b"1" * 5000 + b"}", 400, None, "body"),
    "a list": ([], 422, None, "body"),
    "nothing asked": ({}, 422, "OPTION_MISSING", "history"),
    "unknown title": ({"history": [{"title": "Spede (1994)"}]}, 422, "ITEM_UNKNOWN", "'Spede (1994)'"),
    "unknown id": ({"history": [{"id": "1"}, {"id": "x"}]}, 422, "ITEM_UNKNOWN", "history[1]"),
    "unknown dislike": ({"dislike": [{"id": "1"}, {"title": "x"}]}, 422, "ITEM_UNKNOWN", "dislike[1]"),
    "a dislike with stars": ({"dislike": [{"id": "1", "stars": 1}]}, 422, None, "dislike[0].stars"),
    "a dislike without a name": ({"dislike": [{}]}, 422, None, "dislike[0]"),
    "unknown preference": ({"preferences": ["Scifi"]}, 422, "PREFERENCE_UNKNOWN", "preferences[0]"),
    "title and id": ({"history": [{"id": "1", "title": "x"}]}, 422, None, "history[0]"),
    "stars out of range": ({"history": [{"id": "1", "stars": 6}]}, 422, "STARS_INVALID", "history[0].stars"),
    "stars no number": ({"history": [{"id": "1", "stars": "many"}]}, 422, None, "history[0].stars"),
    "stars NaN": (b'{"history": [{"id": "1", "stars": NaN}]}', 422, None, "history[0].stars"),
    "half a character": (b'{"preferences": ["\\ud800"]}', 422, None, "preferences[0]"),
    "k zero": ({"preferences": ["Sci-Fi"], "k": 0}, 422, "VALUE_OUT_OF_RANGE", "k: expected 1 to 100"),
    "k beyond the index": ({"preferences": ["Sci-Fi"], "k": 101}, 422, "VALUE_OUT_OF_RANGE", "k: expected 1 to 100"),
    "k no number": ({"preferences": ["Sci-Fi"], "k": "ten"}, 422, None, "k: "),
    "k true": ({"preferences": ["Sci-Fi"], "k": True}, 422, None, "k: "),
    "unknown field": ({"user": "42"}, 422, None, "user: "),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_understood_is_one_line(server, name):
    body, status, code, named = BAD[name]
    found, answer = ask(server.url, body)
    assert (found, answer.get("code")) == (status, code), answer
    assert named in answer["detail"] and "\n" not in answer["detail"]


def test_wrong_content_type_method_and_path(server):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answer = ask(server.url, {"k": 1}, headers=form)
    assert status == 415 and form["Content-Type"] in answer["detail"]
    assert ask(server.url, {"k": 1}, headers={})[0] == 415
    assert (
        ask(server.url, {"preferences": ["Sci-Fi"]}, headers={"Content-Type": "Application/JSON; charset=utf-8"})[0]
        == 200
    )
    for method in ("GET", "PUT", "DELETE"):
        assert ask(server.url, b"", method=method)[0] == 405
    assert ask(server.url, b"", path="/recommend", method="GET")[0] == 404


def test_a_large_body_is_refused_before_it_is_read(server):
    at = urlsplit(server.url)
    with socket.create_connection((at.hostname, at.port), timeout=60) as raw:
        head = (
            f"POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {TEN_MB}\r\n\r\n"
        )
        raw.sendall(head.encode())
        assert b" 413 " in raw.recv(4096), "answered with not a byte of it sent"


def test_large_bodies_are_not_kept_in_memory(server):
    def in_chunks():
        for _ in range(160):
            yield b" " * 65536

    def send(body):
        connection = connected(server.url)
        connection.request("POST", "/retrieve", body, JSON, encode_chunked=not isinstance(body, bytes))
        status = connection.getresponse().status
        connection.close()
        return status

    assert send(b" " * TEN_MB) == send(in_chunks()) == 413
    before = server.memory("VmHWM")
    assert {send(in_chunks()) for _ in range(5)} | {send(b" " * TEN_MB) for _ in range(5)} == {413}
    assert server.memory("VmHWM") - before < TEN_MB / 2
    assert ask(server.url, b'{"preferences": ["Sci-Fi"]}'.ljust(MAX_BODY_BYTES))[0] == 200
    assert ask(server.url, b'{"preferences": ["Sci-Fi"]}'.ljust(MAX_BODY_BYTES + 1))[0] == 413


def test_64_clients_at_once_lose_no_request(server, run):
    asked = latency_queries(HeldOut(Run(run)))
    bodies = {"bodies": np.array([body_of(query, asked.catalogue, 10) for query in asked.queries], "S")}
    spec = {
        "url": f"{server.url}/retrieve",
        "method": "POST",
        "mode": "closed",
        "connections": 64,
        "clients": 64,
        "warmup": 0,
        "samples": 10_000,
    }
    outcome = run_worker([str(HTTP_LOAD_WORKER)], spec, bodies, timeout_s=300)
    assert outcome, outcome.reason
    assert (
        np.bincount(outcome.arrays["status"]).nonzero()[0].tolist() == [200] and len(outcome.arrays["status"]) == 10_000
    )
    assert (outcome.arrays["done_ns"] > outcome.arrays["sent_ns"]).all()
    assert ask(server.url, b"", path="/healthz", method="GET")[0] == 200


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_what_is_in_flight_and_ends_well(run, stop):
    command = [sys.executable, "-m", "pocketrec", "serve", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        at = urlsplit(re.search(r"http://\S+", process.stdout.readline())[0])
        body = b'{"preferences": ["Sci-Fi"], "k": 3}'
        with socket.create_connection((at.hostname, at.port), timeout=60) as raw:
            head = "POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
            raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            assert b"100 Continue" in raw.recv(4096), "the request is being handled"
            process.send_signal(stop)
            while True:  # until it takes no more requests
                try:
                    socket.create_connection((at.hostname, at.port), timeout=60).close()
                except ConnectionRefusedError:
                    break
                except ConnectionResetError:  # taken into the queue of a socket that was closing
                    continue
            raw.sendall(body)
            answer = b""
            while block := raw.recv(4096):
                answer += block
        assert b"200 OK" in answer and answer.count(b'"ids"') == 1
        assert process.wait(60) == 0 and process.stderr.read() == ""


def test_a_port_in_use_is_one_line(run, pocketrec):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(pocketrec("serve", run, "--port", port))
    assert f"127.0.0.1:{port}" in line and line.endswith("[SERVER_FAILED]")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--port", "65536"], "VALUE_OUT_OF_RANGE"),
        (["--host", "no.such.host.invalid"], "SERVER_FAILED"),
        (["--index", "faiss"], "NAME_UNKNOWN"),
    ],
)
def test_bad_arguments_are_one_line(run, pocketrec, arguments, code):
    line = refused(pocketrec("serve", run, "--port", 0, *arguments))
    assert line.endswith(f"[{code}]") and arguments[0] in line


def test_a_run_without_saved_models_is_one_line(own_run, pocketrec, tmp_path):
    shutil.rmtree(own_run / "trained" / "retrieval_scann")
    assert "retrieval_scann" in refused(pocketrec("serve", own_run, "--port", 0))
    assert "[RUN_MISSING]" in refused(pocketrec("serve", tmp_path / "none", "--port", 0))
    with raises("SERVER_FAILED"), serving_process(own_run):
        pass


def test_without_the_extra_it_says_what_to_install(run):
    program = (
        "import sys\nsys.modules['uvicorn'] = None\n"
        f"from pocketrec.cli.main import main\nsys.exit(main(['serve', {str(run)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (
        done.returncode == 2 and "pip install 'pocketrec[train,serve]'" in done.stderr and done.stderr.count("\n") == 1
    )


NAMES = Catalogue(items=list("abcde"), users=[], preferences=["age:18", "genre:Sci-Fi"], genres=["Sci-Fi"], window=3)
TITLES = ["A", "B", "E=mc2", "Speed (1994)", "A"]


class Blocked:
    """Stands for a retriever: its answer waits until the test lets go."""

    def __init__(self):
        self.requests, self.by_history, self.most = RequestParser(NAMES, TITLES, [1, 5]), True, 5
        self.preset, self.index = "pocket", "scann"
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, inputs, k, refused):
        self.started.set()
        assert self.go.wait(60), "nobody else was served meanwhile"
        return Retrieved(["a"], ["A"], [1.0])


def test_health_is_answered_while_tensorflow_works():
    retriever = Blocked()
    app = make_app(retriever)

    async def request(method, path, body=b""):
        said = []

        async def receive():
            return {"type": "http.request", "body": body}

        async def send(message):
            said.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        await app(scope, receive, send)
        return said[0]["status"]

    async def both():
        slow = asyncio.create_task(request("POST", "/retrieve", b'{"history": [{"title": "A"}]}'))
        while not retriever.started.is_set():
            await asyncio.sleep(0)
        assert await request("GET", "/healthz") == 200 and not slow.done()
        retriever.go.set()
        return await slow

    assert asyncio.run(both()) == 200
