"""AARs that a test makes: of a prepared library, or of a few lines of C."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from pocketrec.runtimes.android import aar, pack

needs_android = pytest.mark.skipif(bool(pack.missing()), reason=pack.missing())
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc; run: apt-get install gcc")


def archive_of(path: Path, libraries: dict[str, bytes]) -> Path:
    """An AAR that holds these files of jni/ and what every AAR has beside them."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("AndroidManifest.xml", "<manifest/>")
        for name, data in libraries.items():
            archive.writestr(f"jni/{name}", data)
    return path


def real_archive(path: Path, version: str, *abis: str) -> Path:
    """An AAR of a version of the pack, with the libraries of some ABIs."""
    where = pack.folder() / version
    return archive_of(
        path, {f"{abi}/libtensorflowlite_jni.so": (where / abi / aar.LIBRARY).read_bytes() for abi in abis}
    )


def compiled(source: str, folder: Path) -> bytes:
    """A shared library of C for this machine, which may use `void bionic_only(void)` and `int bionic_table[4]` of bionic's libc."""
    folder.mkdir(exist_ok=True)
    (folder / "libc.c").write_text("void bionic_only(void) {}\nint bionic_table[4];")
    (folder / "library.c").write_text(source)
    (folder / "versions").write_text("LIBC { global: bionic_only; bionic_table; };")
    script = f"-Wl,--version-script={folder / 'versions'}"
    shared = ["gcc", "-shared", "-fPIC", "-nostdlib"]
    subprocess.run([*shared, script, "-Wl,-soname=libc.so", "-o", folder / "stub.so", folder / "libc.c"], check=True)
    made, parts = folder / "made.so", (folder / "library.c", folder / "stub.so")
    subprocess.run([*shared, "-Wl,--no-as-needed", "-o", made, *parts], check=True)
    return made.read_bytes()
