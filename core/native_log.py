"""Keep the output of native libraries off the terminal without losing it."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def native_stderr_kept_aside(verbose: bool = False) -> Iterator[None]:
    """Send file descriptor 2 to a temporary log while the block runs; Python's `sys.stderr` still reaches the terminal.

    TensorFlow registers CUDA before any log level applies and the converter writes past every logger, so only the
    descriptor itself can be silenced. If the block raises something other than a `PocketrecError`, the log is kept and
    named. With `verbose`, nothing is redirected.
    """
    if verbose:
        yield
        return
    sys.stderr.flush()
    terminal, python_stderr = os.dup(2), sys.stderr
    handle, name = tempfile.mkstemp(prefix="pocketrec-", suffix=".log")
    os.dup2(handle, 2)
    os.close(handle)
    sys.stderr = os.fdopen(terminal, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    try:
        yield
    except Exception as error:
        if not hasattr(error, "exit_code"):
            error.add_note(f"native log: {name}")
            name = ""
        raise
    finally:
        sys.stderr.flush()
        sys.stderr = python_stderr
        os.dup2(terminal, 2)
        os.close(terminal)
        if name:
            Path(name).unlink(missing_ok=True)
