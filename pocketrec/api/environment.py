"""What this machine can run, and a server on it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..core.errors import pick
from ..core.records.doctor import Diagnosis
from ..core.run_dir import Run
from .arguments import StrPath, as_run
from .rules import checked


@checked
def doctor(*, device: bool = False, serial: str | None = None) -> Diagnosis:
    """Find out what this machine can run, and what is missing for the rest; or whether a phone can run variants.

    Args:
        device: Try a phone that is plugged in, step by step, up to the first step that fails.
        serial: With `device`: its serial number; the only phone there is when None.

    Raises:
        InputError: A serial number without `device`.
    """
    if device:
        from ..runtimes.adb.examination import examine_device

        return examine_device(serial or "")
    from ..runtimes.doctor import examine

    return examine()


def install(pack: str) -> Path:
    """Fetch a pack that runs variants as phones and browsers do (`pocketrec doctor --install`).

    Args:
        pack: `arm64`, emulated phone processors, `wasm`, a browser, `gpu`, a Vulkan driver in software, `android`, the library
            inside Android apps, or `adb`, what executes variants on a phone that is plugged in.

    Returns:
        The directory of the pack.

    Raises:
        InputError: No such pack, or it cannot be downloaded.
    """
    from ..runtimes import litert_js, qemu_arm64, swiftshader
    from ..runtimes.adb import pack as adb
    from ..runtimes.android import pack as android

    packs = {
        "arm64": qemu_arm64.install,
        "wasm": litert_js.install,
        "gpu": swiftshader.install,
        "android": android.install,
        "adb": adb.install,
    }
    return packs[pick("--install", pack, packs)]()


def serve(
    run: StrPath | Run,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    index: str = "scann",
    log_requests: bool = False,
    on_ready: Callable[[str], None] = lambda line: None,
    loading: AbstractContextManager[object] | None = None,
) -> None:
    """Answer POST /retrieve and GET /healthz from the run's retrieval SavedModel, until SIGTERM or Ctrl-C.

    Args:
        run: A run, or its directory.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        index: `scann` or `bruteforce`.
        log_requests: Log each request.
        on_ready: Called with a line that names the URL once the server answers.
        loading: Entered while the SavedModel is loaded.

    Raises:
        InputError: The extra `serve` is not installed, no such index, or the port is taken.
    """
    from ..benchmarks.serving import server

    server.require_uvicorn()
    from ..benchmarks.serving.http_app import make_app

    opened = as_run(run)
    with server.listening(host, port) as listener:
        with loading or nullcontext():
            retriever = server.Retriever(opened, index)
        where = f"serving {retriever.preset}, {index} at {server.url_of(listener)}"
        application = make_app(retriever, threads=server.workers())
        server.run_server(application, listener, ready=lambda: on_ready(where), log_requests=log_requests)
