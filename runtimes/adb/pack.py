"""The program that executes variants on a phone, built from C without an NDK: of Android's libraries only the names are needed."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from ...core.documents import write_json
from ...core.errors import InputError
from ...core.files.atomic import atomic_dir
from ...core.files.downloads import cache_dir

INSTALL = "pocketrec doctor --install adb"
WORKER = "pocketrec-worker"
COMPILER = "aarch64-linux-gnu-gcc"
# What is needed, and Debian's package of it.
_PROGRAMS = {"adb": "adb", COMPILER: "gcc-aarch64-linux-gnu"}
_SOURCES = tuple(Path(__file__).with_name(name) for name in ("start.c", "worker.c", "bionic.h"))
# Functions by the library of Android's that has them; memset is what GCC may call by itself.
_LIBRARIES = {
    "c": "__libc_init _exit alarm atoi clock_gettime close dprintf lseek memcmp memcpy memset mmap open pthread_create read "
    "realloc snprintf strcmp strlen strstr write",
    "dl": "dlopen dlsym dlerror",
}
_STUB = ["-w", "-fno-builtin", "-nostdlib", "-fPIC", "-shared"]
# What Android's loader asks of a program: position-independent, Android's own loader, segments for memory pages of 16 KB.
_PROGRAM = [
    "-O2",
    "-Wall",
    "-Wno-builtin-declaration-mismatch",
    "-ffreestanding",
    "-fno-stack-protector",
    "-mno-outline-atomics",
    "-nostdlib",
    "-fPIE",
    "-pie",
    "-Wl,--dynamic-linker=/system/bin/linker64",
    "-Wl,-z,max-page-size=16384,-z,now",
    "-Wl,--hash-style=both",
    "-Wl,--build-id=none",
]


def folder() -> Path:
    """Where the program is kept; another one for other sources."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES))
    return cache_dir() / f"adb-{digest.hexdigest()[:12]}"


def worker() -> Path:
    """The program, once it is installed."""
    return folder() / WORKER


def missing_adb() -> str:
    """Why no phone can be reached, with the command that adds it; '' when one can."""
    return "" if shutil.which("adb") else "adb is needed; apt-get install adb"


def missing() -> str:
    """Why no phone can be used, with the command that adds it; '' when one can."""
    if reason := missing_adb():
        return reason
    return "" if worker().is_file() else f"no program for phones yet; {INSTALL}"


def install() -> Path:
    """Build the program, once; returns its folder.

    Raises:
        InputError: no adb or compiler, or the compiler fails.
    """
    if lacking := [program for program in _PROGRAMS if not shutil.which(program)]:
        raise InputError(
            "--install adb",
            expected="adb and a C compiler for phones",
            given=f"no {', '.join(lacking)}",
            do=f"run `apt-get install {' '.join(_PROGRAMS[program] for program in lacking)}`",
            code="NOT_INSTALLED",
        )
    if not worker().is_file():
        with atomic_dir(folder()) as made, tempfile.TemporaryDirectory(prefix="pocketrec-adb-") as scratch:
            _build(made / WORKER, Path(scratch))
            write_json(made / "manifest.json", {"schema": "pocketrec.adb/1", "program": WORKER})
    return folder()


def _build(program: Path, scratch: Path) -> None:
    (scratch / "versions").write_text("LIBC { global: *; };\n")
    for name, functions in _LIBRARIES.items():
        (scratch / f"{name}.c").write_text("".join(f"void {function}(void) {{}}\n" for function in functions.split()))
        options = [f"-Wl,-soname,lib{name}.so", f"-Wl,--version-script={scratch / 'versions'}"]
        _compile([*_STUB, *options, "-o", f"{scratch}/lib{name}.so", f"{scratch}/{name}.c"])
    sources = [str(path) for path in _SOURCES if path.suffix == ".c"]
    _compile([*_PROGRAM, "-o", str(program), *sources, f"-L{scratch}", "-lc", "-ldl"])


def _compile(arguments: list[str]) -> None:
    done = subprocess.run([COMPILER, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0]
        raise InputError(
            "--install adb",
            expected=f"{COMPILER} to build {WORKER}",
            given=said[:200],
            do="install another version of it",
            code="NOT_INSTALLED",
        )
