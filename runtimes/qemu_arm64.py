"""A private ARM64 user space, so that both runtimes execute on the kernels phones run: CPython, the runtimes' aarch64 wheels, QEMU.

Debian's packages are fetched by apt into the kit's cache and verified by apt against Debian's signatures; PyPI's wheels are pinned
by hash. Nothing is installed on the system, root is not needed, and emulated time is never reported as latency.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from ..core.documents import write_json
from ..core.errors import InputError
from ..core.files.atomic import atomic_dir
from ..core.files.downloads import cache_dir, download_wheels

INSTALL = "pocketrec doctor --install arm64"
_PYTHON = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")
_LIBRARIES = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libffi8")
_WHEELS = {
    "tflite-runtime==2.14.0": "ce9fa5d770a9725c746dcbf6f59f3178233b3759f09982e8b2db8d2234c333b0",
    "ai-edge-litert==2.3.0": "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
    "numpy==1.26.4": "7ab55401287bfec946ced39700c053796e7cc0e3acbef09993a9ad2adba6ca6e",
    "ml-dtypes==0.6.0": "7728c0420ec1c338564fc8b01015ff2d58567e70f17fedce5a0a7c0308c0d5b9",
    "flatbuffers==25.12.19": "7634f50c427838bb021c2d66a3d1168e9d199b0607e6329399f04846d42e20b4",
}
_PLATFORMS = ("manylinux_2_34_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64")
# Raised whenever what `install` writes changes.
_EDITION = "1"
_TOOLS = ("apt-get", "dpkg-deb")
_PROCESSORS = "sys/devices/system/cpu"


def folder() -> Path:
    """Where the user space is kept."""
    return cache_dir() / f"arm64-{_EDITION}"


def missing() -> str:
    """Why it cannot be used, with the command that adds it; '' when it can."""
    return "" if (folder() / "manifest.json").is_file() else f"no ARM64 user space yet; {INSTALL}"


def launch(cpu: str, cpuinfo: str) -> tuple[list[str], dict[str, str]]:
    """Command prefix and environment that run a Python program on an emulated processor.

    Args:
        cpu: QEMU's name of it.
        cpuinfo: text of its /proc/cpuinfo; LiteRT reads there which instructions it may use, so it must list no others.
    """
    root = folder() / "machines" / cpu.partition(",")[0]
    if not (root / "proc" / "cpuinfo").is_file():
        _present_as(root, cpuinfo)
    qemu = str(folder() / "qemu" / "usr" / "bin" / "qemu-aarch64-static")
    environment = {
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": str(folder() / "site"),
        "PATH": os.environ.get("PATH", ""),
        "OPENBLAS_NUM_THREADS": "1",
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
    }
    return [qemu, "-cpu", cpu, "-L", str(root), str(root / "usr" / "bin" / "python3.11")], environment


def _present_as(root: Path, cpuinfo: str) -> None:
    """The same user space under another processor's /proc/cpuinfo, and with no more processors than that lists: TFLite 2.16
    crashes where /sys names others."""
    with atomic_dir(root) as made:
        for name in ("usr", "lib", "etc"):
            (made / name).symlink_to(folder() / "root" / name)
        (made / "proc").mkdir()
        (made / "proc" / "cpuinfo").write_text(cpuinfo)
        (made / _PROCESSORS).mkdir(parents=True)
        for name in ("possible", "present"):
            (made / _PROCESSORS / name).write_text("0\n")


def install() -> Path:
    """Fetch and unpack everything, once; returns the folder.

    Raises:
        InputError: not a Debian machine, or a package could not be fetched.
    """
    if not missing():
        return folder()
    lacking = [tool for tool in _TOOLS if not shutil.which(tool)]
    if lacking:
        raise InputError(
            "--install arm64",
            expected="Debian's apt-get and dpkg-deb",
            given=f"no {', '.join(lacking)}",
            do="use Debian 12",
            code="NOT_INSTALLED",
        )
    with atomic_dir(folder()) as made:
        debian = {
            **_unpack(made / "root", "arm64", (*_PYTHON, *_LIBRARIES)),
            **_unpack(made / "qemu", "amd64", ("qemu-user-static",)),
        }
        _wheels(made / "site")
        shutil.rmtree(made / "apt", ignore_errors=True)
        write_json(made / "manifest.json", {"schema": "pocketrec.arm64/1", "debian": debian, "wheels": _WHEELS})
    return folder()


def _unpack(root: Path, architecture: str, packages: tuple[str, ...]) -> dict[str, str]:
    """Fetch packages of an architecture with an apt of its own directories and unpack them; name to file."""
    apt, debs = root.parent / "apt" / architecture, root.parent / "apt" / f"{architecture}-debs"
    for name in ("state/lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    debs.mkdir(parents=True)
    (apt / "state" / "status").touch()
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "state" / "status",
        "Dir::Cache": apt / "cache",
    }
    (apt / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-qq", "update"], environment, debs)
    _run(["apt-get", "-qq", "download", *packages], environment, debs)
    files = sorted(debs.glob("*.deb"))
    for file in files:
        _run(["dpkg-deb", "-x", str(file), str(root)], environment, debs)
    return {file.name.partition("_")[0]: file.name for file in files}


def _wheels(site: Path) -> None:
    downloads = site.parent / "wheels"
    downloads.mkdir()
    platforms = [part for name in _PLATFORMS for part in ("--platform", name)]
    if reason := download_wheels(
        _WHEELS, downloads, ["--python-version", "3.11", "--implementation", "cp", *platforms]
    ):
        raise _unfetched("pip download", reason)
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    shutil.rmtree(downloads)


def _unfetched(command: str, reason: str) -> InputError:
    return InputError(
        "--install arm64",
        expected=f"`{command}` to succeed",
        given=reason[:200],
        do="check the network and try again",
        code="DOWNLOAD_FAILED",
    )


def _run(command: list[str], environment: dict[str, str], where: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=where, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise _unfetched(" ".join(command[:3]), last)
