"""Executes one .tflite file with LiteRT.js in headless Chromium. Standard library and NumPy; runs by path.

    python -P litert_js_worker.py SPEC.json

SPEC: model, inputs (.npz), outputs (.npz to write), mode `outputs`, all as in tflite_worker.py; browser (its path), packages
(folder of LiteRT.js) and accelerator (`webgpu`, or '' for the processor alone). `meta` has n_queries, load_ns, allocate_ns,
first_call_ns, queries_ns and browser, by the page's clock (a tenth of a millisecond), and fully_accelerated. What LiteRT.js logs
goes to stderr. Everything is served on 127.0.0.1; the browser resolves no other host.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "core" / "queries"))
import packing  # pyright: ignore[reportMissingImports]

PAGE = Path(__file__).parents[1] / "litert_js_page"
TYPES = {".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm"}
FLAGS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-breakpad"]
FLAGS += [
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-extensions",
    "--disable-default-apps",
    "--password-store=basic",
]
# No request of the browser's own, and none that reaches another machine.
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"]
# What a page may compute on: nothing but the processor, or WebGPU on SwiftShader, the Vulkan driver that Chromium brings.
PROCESSORS = {
    "": ["--disable-gpu"],
    "webgpu": ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
}
CONFINED = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


def packed_inputs(path):
    """The JSON that /queries tells the page (where each query's inputs lie), and the bytes of all inputs one after another."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    inputs, blob = [], bytearray()
    for name in packing.names_of(arrays):
        if arrays[name].dtype.kind in "SUO":
            raise SystemExit(f"input {name}: LiteRT.js has no string tensors")
        rows = packing.rows_of(arrays, name)
        starts = len(blob) + np.cumsum([0, *[row.nbytes for row in rows]])
        shapes = [list(row.shape) for row in rows]
        inputs.append({"name": name, "dtype": arrays[name].dtype.name, "starts": starts.tolist(), "shapes": shapes})
        blob += b"".join(np.ascontiguousarray(row).tobytes() for row in rows)
    return {"count": len(inputs[0]["shapes"]), "inputs": inputs}, bytes(blob)


def unpacked_outputs(body):
    """(meta, arrays) of what the page sent: a length, JSON, then the outputs of one query after another."""
    size = int.from_bytes(body[:4], "little")
    header, place, found = json.loads(body[4 : 4 + size]), 4 + size, {}
    for row in header["rows"]:
        for port in row:
            dtype, count = np.dtype(port["dtype"]), int(np.prod(port["shape"], dtype=np.int64))
            value = np.frombuffer(body, dtype, count, place).reshape(port["shape"])
            found.setdefault(port["name"], []).append(value)
            place += value.nbytes
    if place != len(body):
        raise SystemExit(f"answers: expected {place} bytes, got {len(body)}")
    write_log(header["told"])
    return {**header["meta"], "n_queries": len(header["rows"])}, packing.packed(found, flat=True)


def write_log(lines):
    """What LiteRT.js logged, where native libraries log."""
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.stderr.flush()


def serve(files, told):
    """A server on a free port of 127.0.0.1; what the page posts goes to the queue `told` as (path, body)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            held = files.get(self.path)
            if held is None:
                return self.send_error(404)
            body = held.read_bytes() if isinstance(held, Path) else held
            kind = TYPES.get(held.suffix, "") if isinstance(held, Path) else ""
            return self.answer(200, body, kind or "application/octet-stream")

        def do_POST(self):
            told.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(204, b"", "text/plain")

        def answer(self, status, body, kind):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """A browser that is killed leaves answers half read."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/"


def open_browser(program, address, scratch, accelerator):
    """Chromium on a page, with a home of its own; its log is scratch/chromium.log."""
    scratch.mkdir()
    home = {name: str(scratch) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR")}
    command = [program, *FLAGS, *PROCESSORS[accelerator], CONFINED, f"--user-data-dir={scratch / 'profile'}", address]
    with (scratch / "chromium.log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **home}, cwd=scratch
        )


def wait(told, browser, log):
    """What the page posted first; ends with a reason when the page failed, the browser ended, or the parent process is gone."""
    parent = os.getppid()
    while True:
        try:
            path, body = told.get(timeout=0.5)
        except queue.Empty:
            if browser.poll() is not None:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise SystemExit(f"{' '.join(last)} | {browser.args[0]} ended with {browser.returncode}") from None
            if os.getppid() != parent:
                raise SystemExit("the parent process has ended") from None
            continue
        if path != "/answers":
            failure = json.loads(body)
            write_log(failure["told"])
            raise SystemExit(short(failure["reason"]))
        return body


def short(text):
    """What a page threw, without the stack's lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return "\n".join(lines) or "the page failed without a message"


def main(path):
    spec = json.loads(Path(path).read_text())
    if spec["mode"] != "outputs":
        raise SystemExit(f"mode: expected outputs, got {spec['mode']}")
    queries, blob = packed_inputs(spec["inputs"])
    packages, told = Path(spec["packages"]), queue.Queue()
    files = {f"/packages/{file.relative_to(packages)}": file for file in packages.rglob("*") if file.is_file()}
    files |= {"/": PAGE / "page.html", "/page.js": PAGE / "page.js", "/model": Path(spec["model"])}
    accelerator = spec.get("accelerator", "")
    files |= {"/inputs": blob, "/queries": json.dumps({**queries, "accelerator": accelerator}).encode()}
    scratch = Path(spec["outputs"]).with_name("browser")
    browser = open_browser(spec["browser"], serve(files, told), scratch, accelerator)
    try:
        meta, outputs = unpacked_outputs(wait(told, browser, scratch / "chromium.log"))
    finally:
        browser.kill()
        browser.wait()
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)), **outputs)


if __name__ == "__main__":
    main(sys.argv[1])
