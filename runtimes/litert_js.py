"""LiteRT.js in headless Chromium: the runtime that web apps ship, on WebAssembly's kernels or on WebGPU.

The two npm packages are pinned by their published SHA-512 and unpacked into the kit's cache; their scripts are not run. Chromium
is taken from the system.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from ..core.documents import write_json
from ..core.errors import InputError
from ..core.files.atomic import atomic_dir
from ..core.files.downloads import cache_dir

INSTALL = "pocketrec doctor --install wasm"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Folder that page.html's import map names, to package and integrity. wasm-utils is LiteRT.js' only dependency.
_PACKAGES = {
    "core": (
        "@litertjs/core@2.5.3",
        "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    ),
    "wasm-utils": (
        "@litertjs/wasm-utils@2.5.3",
        "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
    ),
}
# Raised whenever what `install` writes changes.
_EDITION = "1"


def folder() -> Path:
    """Where the packages are kept, one folder each."""
    return cache_dir() / f"wasm-{_EDITION}"


def browser() -> str | None:
    """Path of the browser that is used."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def missing_browser() -> str:
    """Why no page can be opened, with the command that adds it; '' when one can."""
    return "" if browser() else "chromium is needed; apt-get install chromium"


def missing_packages() -> str:
    """Why LiteRT.js cannot be used, with the command that adds it; '' when it can."""
    return "" if (folder() / "manifest.json").is_file() else f"no LiteRT.js yet; {INSTALL}"


def launch() -> dict[str, str]:
    """What the SPEC of litert_js_worker.py holds besides model and inputs: browser, packages."""
    return {"browser": browser() or BROWSERS[0], "packages": str(folder())}


def install() -> Path:
    """Fetch and unpack the packages, once; returns the folder.

    Raises:
        InputError: no npm, or a package could not be fetched or is not the one that was pinned.
    """
    if not missing_packages():
        return folder()
    if not shutil.which("npm"):
        raise InputError(
            "--install wasm", expected="npm", given="no npm", do="run `apt-get install npm`", code="NOT_INSTALLED"
        )
    with atomic_dir(folder()) as made:
        for name, (package, integrity) in _PACKAGES.items():
            _unpack(_fetch(package, integrity, made / "downloads"), made / name)
        shutil.rmtree(made / "downloads")
        pinned = dict(_PACKAGES.values())
        write_json(made / "manifest.json", {"schema": "pocketrec.wasm/1", "packages": pinned})
    return folder()


def _fetch(package: str, integrity: str, downloads: Path) -> Path:
    """A package's archive as the registry has it, if it is the pinned one."""
    downloads.mkdir(exist_ok=True)
    command = ["npm", "pack", package, "--ignore-scripts", "--pack-destination", str(downloads)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=downloads, env={**os.environ, "NO_COLOR": "1"}
    )
    archive = downloads / f"{package.removeprefix('@').replace('/', '-').replace('@', '-')}.tgz"
    if done.returncode or not archive.is_file():
        said = [
            line for line in done.stderr.splitlines() if line.startswith("npm error") and "complete log" not in line
        ]
        given = "; ".join(said[:2]) or f"exit status {done.returncode}"
        raise InputError(
            "--install wasm",
            expected=f"`npm pack {package}` to succeed",
            given=given[:200],
            do="check the network and try again",
            code="DOWNLOAD_FAILED",
        )
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != integrity:
        raise InputError(
            "--install wasm",
            expected=f"{package} with {integrity[:19]}…",
            given=f"{found[:19]}…",
            do="report it: the registry has another package under this name and version",
            code="DOWNLOAD_FAILED",
        )
    return archive


def _unpack(archive: Path, target: Path) -> None:
    """npm archives hold one folder, `package`."""
    with tarfile.open(archive) as packed:
        packed.extractall(target.parent, filter="data")
    (target.parent / "package").rename(target)
