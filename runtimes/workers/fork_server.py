"""Runs many jobs of one worker, each in its own fork: a runtime is imported once, and a crash ends one job only.

    python -P fork_server.py SPEC.json

SPEC: program (path of a worker with `prepare(spec)` and `main(path)`), jobs (list of {spec (path of its SPEC.json), stderr (path),
timeout_s}), outputs (.npz to write: `statuses` int64[n_jobs], as os.waitstatus_to_exitcode gives them, and an empty `meta`).
Nothing of a runtime but its import happens before a fork, so that loading, allocation and the first call are as cold as in a
process that was started for them.
"""

import importlib.util
import json
import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np


def loaded(program):
    sys.path.insert(0, str(Path(program).parent))
    found = importlib.util.spec_from_file_location("forked_worker", program)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def forked(worker, job):
    """Exit status of a job; the time limit ends it with SIGALRM."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        os.dup2(os.open(job["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        signal.setitimer(signal.ITIMER_REAL, job["timeout_s"])
        worker.main(job["spec"])
        status = 0
    except SystemExit as ended:
        os.write(2, f"{ended}\n".encode())
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def main(path):
    spec = json.loads(Path(path).read_text())
    worker = loaded(spec["program"])
    for job in spec["jobs"]:
        worker.prepare(json.loads(Path(job["spec"]).read_text()))
    statuses = [forked(worker, job) for job in spec["jobs"]]
    with Path(spec["outputs"]).open("wb") as stream:
        np.savez(stream, meta=np.array("{}"), statuses=np.array(statuses, np.int64))


if __name__ == "__main__":
    main(sys.argv[1])
