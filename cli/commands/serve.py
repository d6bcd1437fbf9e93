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
    from ...api.environment import serve as serve_run

    serve_run(run, host=host, port=port, index=index, log_requests=verbose, on_ready=show, loading=working(verbose))
