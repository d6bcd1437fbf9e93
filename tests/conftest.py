"""One real demo on real data for the whole session; everything else is asserted on what it left."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pocketrec.core.errors import PocketrecError

from tests.tiny import made_once, tiny_run


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


def call(*arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None, timeout: float = 300) -> Done:
    """Run `pocketrec` in a process of its own."""
    command = [sys.executable, "-m", "pocketrec", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def pocketrec() -> Callable[..., Done]:
    return call


def call_inside(*arguments: object, cwd: Path | None = None) -> Done:
    """Run `pocketrec` in this process, which costs no start of Python: for what a command prints, and how it ends."""
    from pocketrec.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    place = contextlib.chdir(cwd) if cwd else contextlib.nullcontext()
    with place, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def inside() -> Callable[..., Done]:
    return call_inside


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The whole road on MovieLens-100K, once: (run directory, what the command printed)."""
    if ready := os.environ.get("POCKETREC_TEST_DEMO"):  # a finished demo, to iterate on a test without the wait
        return Path(ready), Done(0, (Path(ready).parent / "demo.out").read_text(), "")

    def make(folder: Path) -> None:
        done = call("demo", "--out", folder / "run", timeout=1800)
        assert done.code == 0, done.err
        (folder / "demo.out").write_text(done.out)

    folder = made_once(_shared(tmp_path_factory), "demo", make)
    return folder / "run", Done(0, (folder / "demo.out").read_text(), "")


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this test run, the same for all its workers."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


@pytest.fixture(scope="session")
def run(demo: tuple[Path, Done]) -> Path:
    """The demo's run; read-only by convention."""
    return demo[0]


@pytest.fixture(scope="session")
def tutorial_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial preset, trained, converted and compared once."""
    if ready := os.environ.get("POCKETREC_TEST_DEMO"):
        return Path(ready).with_name("tutorial")

    def make(folder: Path) -> None:
        run = folder / "run"
        train = ["train", "--preset", "tutorial", "--out", run]
        for arguments in (train, ["convert", run], ["parity", run], ["bundle", run]):
            done = call(*arguments, timeout=1800)
            assert done.code == 0, done.err

    return made_once(_shared(tmp_path_factory), "tutorial", make) / "run"


@pytest.fixture(scope="session")
def tiny() -> Path:
    """A run of 240 made-up users and 120 items with every stage done, trained in seconds and cached; read-only by convention."""
    return tiny_run()


@pytest.fixture
def own_tiny(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run that a test may damage."""
    shutil.copytree(tiny, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def own_run(run: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may damage."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def own_bundle(run: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may damage."""
    shutil.copytree(run / "bundle", tmp_path / "bundle")
    return tmp_path / "bundle"


def refused(done: Done, code: int = 2) -> str:
    """Assert that a command ended with one clear line and exit status `code`; returns the line, which ends with `[CODE]`."""
    lines = done.err.strip().splitlines()
    assert done.code == code, (done.code, done.out, done.err)
    assert len(lines) == 1 and lines[0].startswith("error: "), done.err
    assert re.search(r" \[[A-Z_]+\]$", lines[0]), done.err
    return lines[0]


@contextlib.contextmanager
def raises(code: str) -> Iterator[pytest.ExceptionInfo[PocketrecError]]:
    """The block raises one of the kit's errors with this code."""
    with pytest.raises(PocketrecError) as caught:
        yield caught
    assert caught.value.code == code, caught.value


FULL = {"demo", "tutorial_run"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a finished demo or the tutorial's run is a full test, and so not among the fast ones.

    One fast test of the tiny run comes first and the others last: while a worker makes that run, the next need not wait for it.
    """
    for item in items:
        if FULL & _needs(item):
            item.add_marker("full")
    items.sort(key=lambda item: "tiny" in _needs(item))
    fast = (place for place, item in enumerate(items) if "tiny" in _needs(item) and not item.get_closest_marker("full"))
    if (first := next(fast, None)) is not None:
        items.insert(0, items.pop(first))


def _needs(item: pytest.Item) -> set[str]:
    """Names of an item's fixtures, those that its parameters name among them."""
    chosen = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return {*getattr(item, "fixturenames", ()), *(name for name in chosen if isinstance(name, str))}


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Under CI a skipped test is a failure: it means that a tool is missing there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
