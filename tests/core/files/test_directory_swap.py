"""A directory that is replaced is there all the while, and read as one of the two."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pocketrec.core.errors import CheckFailed
from pocketrec.core.files import directory_swap as replacing
from pocketrec.core.files.atomic import atomic_dir
from pocketrec.core.files.directory_swap import MOST_ATTEMPTS, exchange, remove_leftovers, swap, while_unchanged

from tests.conftest import raises


def filled(folder, text):
    folder.mkdir()
    (folder / "file").write_text(text)
    return folder


def test_names_are_exchanged(tmp_path):
    assert exchange(filled(tmp_path / "a", "a"), filled(tmp_path / "b", "b"))
    assert (tmp_path / "a" / "file").read_text() == "b" and (tmp_path / "b" / "file").read_text() == "a"


def test_what_cannot_be_exchanged_is_an_error_and_not_a_fallback(tmp_path):
    with pytest.raises(FileNotFoundError):
        exchange(filled(tmp_path / "a", "a"), tmp_path / "none")


class _Libc:
    """A C library whose renameat2 fails with a code, or that has none."""

    def __init__(self, code):
        if code:
            self.renameat2 = lambda *arguments: -1


@pytest.mark.parametrize("code", [0, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_where_exchanging_is_not_to_be_had_it_is_replaced_all_the_same(tmp_path, monkeypatch, code):
    monkeypatch.setattr(replacing.ctypes, "CDLL", lambda name, use_errno: _Libc(code))
    monkeypatch.setattr(replacing.ctypes, "get_errno", lambda: code)
    swap(filled(tmp_path / "new", "new"), filled(tmp_path / "out", "old"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and (tmp_path / "out" / "file").read_text() == "new"


def test_the_place_of_nothing_or_of_an_empty_directory_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "none"):
        swap(filled(tmp_path / "new", "new"), tmp_path / name)
        assert (tmp_path / name / "file").read_text() == "new"


def test_a_linked_directory_is_replaced_where_it_lies(tmp_path):
    (tmp_path / "link").symlink_to(filled(tmp_path / "real", "old"))
    with atomic_dir(tmp_path / "link") as folder:
        (folder / "file").write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "file").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def killed(tmp_path, body):
    """Run a program that replaces tmp_path/out and kills itself on the way."""
    program = (
        "import os, signal; from pathlib import Path; from pocketrec.core.files import atomic, directory_swap as replacing\n"
        f"out = Path({str(tmp_path / 'out')!r}); die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n{body}\n"
        "with atomic.atomic_dir(out) as folder: (folder / 'file').write_text('new')\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("replacing.exchange = die", "old"),
        ("replacing.shutil.rmtree = die", "new"),
    ],
)
def test_killed_while_replacing_one_of_the_two_is_there(tmp_path, body, found):
    filled(tmp_path / "out", "old")
    killed(tmp_path, body)
    assert (tmp_path / "out" / "file").read_text() == found and len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_killed_where_nothing_is_exchanged_the_old_one_comes_back(tmp_path):
    filled(tmp_path / "out", "old")
    killed(
        tmp_path,
        "replacing.exchange = lambda a, b: False\nrename = Path.rename\n"
        "Path.rename = lambda a, b: die() if '.old-' in str(list(a.parent.glob('.out.old-*/was'))) else rename(a, b)",
    )
    assert not (tmp_path / "out").exists()
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and (tmp_path / "out" / "file").read_text() == "old"


def test_what_a_living_process_moved_aside_stays_its_own(tmp_path):
    (tmp_path / f".out.old-{os.getpid()}-x" / "was").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert not (tmp_path / "out").exists() and len(list(tmp_path.iterdir())) == 1


def test_what_changed_while_it_was_read_is_read_again(tmp_path):
    filled(tmp_path / "out", "old")
    seen = []

    def work():
        seen.append((tmp_path / "out" / "file").read_text())
        if len(seen) == 1:
            swap(filled(tmp_path / "new", "new"), tmp_path / "out")
            raise CheckFailed("half of one and half of the other", code="GATE_FAILED")
        if len(seen) == 2:
            swap(filled(tmp_path / "new", "newer"), tmp_path / "out")
        return seen[-1]

    assert while_unchanged(tmp_path / "out", work) == "newer" and seen == ["old", "new", "newer"]


@pytest.mark.parametrize("path", ["out", "none"])
def test_what_is_wrong_with_what_stays_is_said_once(tmp_path, path):
    filled(tmp_path / "out", "old")
    calls = []

    def work():
        calls.append(1)
        raise CheckFailed("wrong", code="GATE_FAILED")

    with pytest.raises(CheckFailed, match="wrong"):
        while_unchanged(Path(tmp_path / path), work)
    assert len(calls) == 1


def test_what_is_replaced_every_time_it_is_read_is_given_up(tmp_path):
    filled(tmp_path / "out", "old")
    calls = []

    def work():
        calls.append(1)
        swap(filled(tmp_path / "new", "new"), tmp_path / "out")

    with raises("INPUT_CHANGED"):
        while_unchanged(tmp_path / "out", work)
    assert len(calls) == MOST_ATTEMPTS
