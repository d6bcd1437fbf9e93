"""`pocketrec serve`: a run's retrieval over HTTP."""

from typing import Annotated

import typer

from ..console import show, working
from ..options import RunArgument, Verbose, named


def serve(
    run: RunArgument,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8501,
    index: Annotated[str, named("indexes", help="How the catalogue is searched: {indexes}.")] = "scann",
    verbose: Verbose = False,
) -> None:
    """Serve a run's retrieval over HTTP.

    Answers POST /retrieve and GET /healthz from the retrieval SavedModel, until SIGTERM or Ctrl-C.

    \b
    Example:
      pocketrec serve run --port 8501
    """
    from ...api.environment import serve as serve_run

    serve_run(run, host=host, port=port, index=index, log_requests=verbose, on_ready=show, loading=working(verbose))
