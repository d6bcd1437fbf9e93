"""Workers in processes of their own: what a crash, a hang or an interrupt leaves behind."""

import os
import signal
import time
from pathlib import Path

import pytest
from pocketrec.runtimes.launch import run_worker, side_by_side


def test_a_crash_and_a_hang_are_reasons_with_what_was_said_last(tmp_path):
    (tmp_path / "crash.py").write_text(
        "import os, sys; print('on the way down', file=sys.stderr, flush=True); os.abort()"
    )
    (tmp_path / "hang.py").write_text("while True: pass")
    crash = run_worker([str(tmp_path / "crash.py")], {}, {}, timeout_s=20)
    assert crash.reason == "signal 6: on the way down"
    assert run_worker([str(tmp_path / "hang.py")], {}, {}, timeout_s=1).reason == "no answer within 1 s"


PARENT = """
import json, subprocess, sys, time
spec = json.load(open(sys.argv[1]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
open(spec["pid"] + ".new", "w").write(str(child.pid))
__import__("os").rename(spec["pid"] + ".new", spec["pid"])
if spec["hangs"]:
    time.sleep(1000)
"""


def ends(pid):
    """Whether a process that was killed is gone, or only waits for its parent to notice."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    return [str(tmp_path / "parent.py")]


@pytest.mark.parametrize(("hangs", "said"), [(True, "no answer within 5 s"), (False, "exit status 0")])
def test_what_a_worker_started_ends_with_it(parent, tmp_path, hangs, said):
    outcome = run_worker(parent, {"pid": str(tmp_path / "pid"), "hangs": hangs}, {}, timeout_s=5)
    assert outcome.reason == said
    assert ends(int((tmp_path / "pid").read_text()))


def test_an_interrupt_ends_workers_that_run_side_by_side(parent, tmp_path, interruptible):
    pid = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt), side_by_side() as pool:
        running = pool.submit(run_worker, parent, {"pid": str(pid), "hangs": True}, {}, timeout_s=60)
        while not pid.is_file():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        running.result()
    assert "signal 9" in running.result().reason and ends(int(pid.read_text()))
