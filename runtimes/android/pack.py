"""TensorFlow Lite for Android as Maven Central has it: the library inside apps, of two versions, pinned and fetched by Maven."""

import shutil
import subprocess
from pathlib import Path

from ...core.documents import write_json
from ...core.errors import InputError
from ...core.files.atomic import atomic_dir
from ...core.files.downloads import cache_dir
from ...core.files.hashing import sha256_file
from .aar import prepare, require_compilers

INSTALL = "pocketrec doctor --install android"
PACKAGE = "org.tensorflow:tensorflow-lite"
# Version to SHA-256 of the AAR.
AARS = {
    "2.14.0": "709db81fbfba461b1ed27e9c1e83817c2d7cc60469074eaa36c88fb8dbea4886",
    "2.16.1": "34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e",
}
# By its full name: a prefix is looked up in an index, which offline mode does not have.
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
# Raised whenever what `install` writes changes.
_EDITION = "1"


def folder() -> Path:
    """Where the libraries are kept, one folder a version."""
    return cache_dir() / f"android-{_EDITION}"


def missing() -> str:
    """Why they cannot be used, with the command that adds them; '' when they can."""
    return "" if (folder() / "manifest.json").is_file() else f"no Android library yet; {INSTALL}"


def install() -> Path:
    """Fetch the archives, unpack their libraries and make what these need of bionic, once; returns the folder.

    Raises:
        InputError: no Maven or compiler, or an archive could not be fetched or is not the one that was pinned.
    """
    if not missing():
        return folder()
    require_compilers("--install android")
    if not shutil.which("mvn"):
        raise InputError(
            "--install android",
            expected="Maven",
            given="no mvn",
            do="run `apt-get install maven`",
            code="NOT_INSTALLED",
        )
    with atomic_dir(folder()) as made:
        for version, sha256 in AARS.items():
            (made / version).mkdir()
            prepare(_fetch(version, sha256, made / "downloads"), made / version, what="--install android")
        shutil.rmtree(made / "downloads")
        write_json(made / "manifest.json", {"schema": "pocketrec.android/1", "package": PACKAGE, "aars": AARS})
    return folder()


def _fetch(version: str, sha256: str, downloads: Path) -> Path:
    """An archive as the repository has it, if it is the pinned one."""
    artifact = f"{PACKAGE}:{version}:aar"
    command = ["mvn", "-B", "-q", _COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={downloads}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archive = downloads / f"tensorflow-lite-{version}.aar"
    if done.returncode or not archive.is_file():
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("[ERROR]")]
        raise _unfetched(
            f"Maven to copy {artifact}",
            (said or [f"exit status {done.returncode}"])[0].removeprefix("[ERROR] ")[:200],
            "check the network and try again",
        )
    if (found := sha256_file(archive)) != sha256:
        raise _unfetched(
            f"{artifact} with SHA-256 {sha256[:12]}…",
            f"{found[:12]}…",
            "report it: the repository has another archive under this name and version",
        )
    return archive


def _unfetched(expected: str, given: str, do: str) -> InputError:
    return InputError("--install android", expected=expected, given=given, do=do, code="DOWNLOAD_FAILED")
