"""An update takes its base's place at once: whoever reads meanwhile, or comes after a process was killed, finds a whole version."""

import fcntl
import os
import shutil
import subprocess
import sys

import pytest
from pocketrec.android_assets.answering.bundle import Bundle
from pocketrec.android_assets.reading import verify as verify_module
from pocketrec.android_assets.reading.update_applier import apply_update
from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.core.files.directory_swap import swap
from pocketrec.core.files.hashing import sha256_tree

from tests.android_assets.asking import recommend
from tests.android_assets.updating import read
from tests.conftest import raises


def test_one_update_at_a_time(chain, tmp_path):
    installed = chain.installed(tmp_path)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with raises("INPUT_CHANGED"):
        apply_update(installed, chain.updates[2])
    os.close(handle)
    assert apply_update(installed, chain.updates[2]).manifest.version == 2


def test_a_linked_bundle_is_updated_where_it_lies(chain, tmp_path):
    installed, link = chain.installed(tmp_path), tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(installed)
    assert apply_update(link, chain.updates[2]).manifest.version == 2
    assert link.is_symlink() and read(installed)["version"] == 2


KILLED = {
    "nothing done": ("kill(applying, 'merge', 1)", 1),
    "half of it merged": ("kill(applying, '_copy', 4)", 1),
    "before it was verified": ("kill(applying, 'replayed', 1)", 1),
    "half of it on disk": ("kill(replacing, 'sync', 4)", 1),
    "before the exchange": ("kill(replacing, 'exchange', 1)", 1),
    "after the exchange": ("kill(replacing.shutil, 'rmtree', 1, only='.partial-')", 2),
    "half of the old one removed": ("after_exchange(os, 'unlink', 3)", 2),
    "all but the parent on disk": ("kill(applying, 'sync', 1)", 2),
}
_CHILD = """
import os, signal
from pathlib import Path
from pocketrec.android_assets.reading import update_applier as applying
from pocketrec.core.files import directory_swap as replacing

def kill(module, name, nth, only=""):
    real, left = getattr(module, name), [nth]
    def counted(*arguments, **options):
        left[0] -= only in str(arguments[0])
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    setattr(module, name, counted)

def after_exchange(module, name, nth):
    real = replacing.exchange
    def exchanged(a, b):
        done = real(a, b)
        kill(module, name, nth)
        return done
    replacing.exchange = exchanged
"""


# The two sides of the moment that counts; the others are full tests.
_FAST = ("before the exchange", "after the exchange")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in _FAST else pytest.mark.full) for n in KILLED])
def test_killed_anywhere_one_version_opens_and_the_next_call_cleans_up(chain, tmp_path, name):
    where, version = KILLED[name]
    installed = chain.installed(tmp_path)
    program = f"{_CHILD}\n{where}\napplying.apply_update(Path({str(installed)!r}), Path({str(chain.updates[2])!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert verify_bundle(installed).manifest.version == version
    assert sha256_tree(installed) == sha256_tree(chain.bundles[version])
    if version == 1:
        assert apply_update(installed, chain.updates[2]).manifest.version == 2
    else:
        with raises("UPDATE_NOT_NEWER"):
            apply_update(installed, chain.updates[2])
    assert [path.name for path in tmp_path.iterdir()] == ["installed"]
    assert sha256_tree(installed) == sha256_tree(chain.bundles[2])


_READER = """
import sys
from pathlib import Path
from pocketrec.android_assets.recommend import recommend_from_bundle
from pocketrec.android_assets.reading.verify import open_bundle
from pocketrec.core.queries.recommendation import Request

where, stop = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while not stop.exists():
    print(open_bundle(where).manifest.version, flush=True)
    recommend_from_bundle(where, Request(prefer=["Western"]))
"""


@pytest.mark.full
def test_who_reads_meanwhile_always_finds_a_whole_version(chain, tmp_path):
    """A process opens the bundle and queries it repeatedly, while it goes from 1 to 3 and back and forth."""
    installed, stop = chain.installed(tmp_path), tmp_path / "stop"
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(installed), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout and reader.stdout.readline() == "ready\n" and reader.stdout.readline() == "1\n"
    for version in (2, 3, 2, 3, 2, 3):
        assert apply_update(installed, chain.updates[version], allow_downgrade=True).manifest.version == version
    assert reader.stdout.readline() in ("1\n", "2\n", "3\n")
    stop.touch()
    rest, complaints = reader.communicate()
    assert reader.returncode == 0, complaints
    assert set(rest.split()) <= {"1", "2", "3"}


def once(monkeypatch, target, name, first):
    """Do something else at the first call, before the real thing."""
    real, calls = getattr(target, name), []

    def called(*arguments, **options):
        calls.append(name)
        if len(calls) == 1:
            first()
        return real(*arguments, **options)

    monkeypatch.setattr(target, name, called)
    return calls


def test_a_bundle_that_was_replaced_while_it_was_opened_is_opened_again(chain, tmp_path, monkeypatch):
    installed = chain.installed(tmp_path)
    replace = lambda: swap(shutil.copytree(chain.bundles[3], tmp_path / "new"), installed)  # noqa: E731
    calls = once(monkeypatch, verify_module, "contract_sha256", replace)
    assert open_bundle(installed).manifest.version == 3 and len(calls) == 2


def test_an_answer_from_parts_of_two_versions_is_asked_again(chain, tmp_path, monkeypatch):
    """Its items were read from one, its vectors from the other."""
    installed = chain.installed(tmp_path)
    replace = lambda: swap(shutil.copytree(chain.bundles[3], tmp_path / "new"), installed)  # noqa: E731
    calls = once(monkeypatch, Bundle, "answers", replace)
    asked = {"prefer": ["Western"], "genres": ["Comedy"], "top": 50}
    assert "N3" in {item.id for item in recommend(installed, **asked).items} and len(calls) == 2
