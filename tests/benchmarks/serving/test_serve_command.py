"""`pocketrec serve` on the tiny run: one answer, and what is refused before anything slow."""

import http.client
import json
import shutil
import socket
import sys
from urllib.parse import urlsplit

import pytest
from pocketrec.benchmarks.latency.load_testing.server_process import serving_process
from pocketrec.benchmarks.serving.server import Retriever, listening, require_uvicorn
from pocketrec.core.run_dir import Run

from tests.conftest import raises, refused


def test_a_run_is_served(tiny):
    items = json.loads((tiny / "trained" / "items.json").read_text())
    with serving_process(tiny) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request("GET", "/healthz")
        health = json.loads(connection.getresponse().read())
        body = json.dumps({"history": [{"id": items[0]["id"], "stars": 5}, {"title": items[3]["title"]}], "k": 7})
        connection.request("POST", "/retrieve", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
    assert (health["status"], health["preset"], health["index"]) == ("ok", "pocket", "scann") and health["k"] >= 7
    assert response.status == 200 and len(answer["ids"]) == len(answer["titles"]) == 7
    assert answer["scores"] == sorted(answer["scores"], reverse=True)
    titles = {item["id"]: item["title"] for item in items}
    assert answer["titles"] == [titles[item] for item in answer["ids"]]


def test_a_port_in_use_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with raises("SERVER_FAILED") as caught:
            listening("127.0.0.1", port)
    assert str(port) in str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "code"), [("127.0.0.1", 65536, "VALUE_OUT_OF_RANGE"), ("no.such.host.invalid", 0, "SERVER_FAILED")]
)
def test_an_address_that_cannot_be_is_refused(host, port, code):
    with raises(code):
        listening(host, port)


def test_an_unknown_index_and_a_missing_saved_model_are_refused(own_tiny, tmp_path):
    with raises("NAME_UNKNOWN"):
        Retriever(Run(own_tiny), "faiss")
    shutil.rmtree(own_tiny / "trained" / "retrieval_scann")
    with raises("RUN_MISSING"):
        Retriever(Run(own_tiny))


def test_a_directory_that_is_no_run_is_one_line(pocketrec, tmp_path):
    assert "RUN_MISSING" in refused(pocketrec("serve", tmp_path / "none", "--port", 0))


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with raises("NOT_INSTALLED") as caught:
        require_uvicorn()
    assert "pocketrec[train,serve]" in str(caught.value)
