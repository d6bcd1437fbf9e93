"""A server of adb's own to each test run, and phones for it that this kit's tests answer for."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pocketrec.core.files.downloads import cache_dir
from pocketrec.runtimes import qemu_arm64
from pocketrec.runtimes.adb import pack as adb
from pocketrec.runtimes.adb.client import devices
from pocketrec.runtimes.android import pack as android
from pocketrec.runtimes.android.bionic import build
from pocketrec.runtimes.targets import TARGETS

from tests.runtimes.adb.fake_phone import FakePhone

needs_adb = pytest.mark.skipif(bool(adb.missing()), reason=adb.missing())
_EMULATION = qemu_arm64.missing() or android.missing() or adb.missing()
needs_emulation = pytest.mark.skipif(bool(_EMULATION), reason=_EMULATION)


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a server that knows no device, with keys of its own; a user's server is left alone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    variables = {"ANDROID_ADB_SERVER_PORT": str(port), "HOME": str(home), "POCKETREC_CACHE": str(cache_dir())}
    environment = {**os.environ, **variables}
    subprocess.run(["adb", "start-server"], env=environment, check=True, capture_output=True)
    yield variables
    subprocess.run(["adb", "kill-server"], env=environment, check=True, capture_output=True)


@pytest.fixture
def plug_in(
    adb_server: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., FakePhone]]:
    """Plug in a phone, as `FakePhone` says; each is unplugged in the end."""
    for name, value in adb_server.items():
        monkeypatch.setenv(name, value)
    phones: list[FakePhone] = []
    waiting: list[subprocess.Popen[bytes]] = []

    def plug(**how: object) -> FakePhone:
        phone = FakePhone(tmp_path / f"phone{len(phones)}", **how)  # type: ignore[arg-type]
        phones.append(phone)
        # With one that never answers, adb waits for 10 seconds.
        connecting = subprocess.Popen(["adb", "connect", phone.serial], stdout=subprocess.DEVNULL)
        waiting.append(connecting)
        while connecting.poll() is None and phone.serial not in devices():
            time.sleep(0.02)
        if phone.state != "offline":
            connecting.wait(30)
        return phone

    yield plug
    for phone in phones:
        phone.unplug()
        subprocess.run(["adb", "disconnect", phone.serial], capture_output=True, check=False, timeout=30)
    for connecting in waiting:
        connecting.kill()
        connecting.wait()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A command that executes the kit's program for phones, with Android's own library, on an emulated processor."""
    place = tmp_path_factory.mktemp("emulated")
    (qemu, *options, root, _), _ = TARGETS["arm64/cortex-a76"].launch()
    system, shim = place / "root", place / "bionic"
    shutil.copytree(root, system, symlinks=True)
    (system / "system" / "bin").mkdir(parents=True)
    (system / "system" / "bin" / "linker64").symlink_to("../../lib/ld-linux-aarch64.so.1")
    shim.mkdir()
    libraries = [android.folder() / version / "arm64-v8a" / "tflite.so" for version in android.AARS]
    build(adb.worker(), *libraries, folder=shim, compiler=adb.COMPILER, machine="aarch64")
    # Preloaded, bionic's stand-in has the first thread-local variables, where bionic keeps its guard of the stack.
    variables = (f"LD_LIBRARY_PATH={shim}", f"LD_PRELOAD={shim / 'libc.so'}")
    return qemu, *options, str(system), *(part for variable in variables for part in ("-E", variable))
