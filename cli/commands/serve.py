"""`pocketrec serve`: a run's retrieval over HTTP."""

from typing import Annotated

import typer

from ..console import show, working
from ..options import RunArgument, Verbose


def serve(
    run: RunArgument,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8501,
    index: Annotated[str, typer.Option(help="scann or bruteforce.")] = "scann",
    verbose: Verbose = False,
) -> None:
    """Answer POST /retrieve and GET /healthz from the run's retrieval SavedModel, until SIGTERM or Ctrl-C.

    \b
    Example: pocketrec serve run --port 8501
    """
    from ...benchmarks.serving import server
    from ...core.run_dir import open_run

    server.require_uvicorn()
    from ...benchmarks.serving.http_app import make_app

    opened = open_run(run)
    with server.listening(host, port) as listener:
        with working(verbose):
            retriever = server.Retriever(opened, index)
        where = f"serving {retriever.preset}, {index} at {server.url_of(listener)}"
        application = make_app(retriever, threads=server.workers())
        server.run_server(application, listener, ready=lambda: show(where), log_requests=verbose)
