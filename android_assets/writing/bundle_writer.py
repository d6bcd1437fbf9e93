"""The folder of a bundle that is being written: its files, and at last manifest and signature."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.files.hashing import sha256_file
from ..format.contract import contract_sha256
from ..format.manifest import MANIFEST, SIGNATURE, BundledFile, Manifest, Role
from ..format.signing import key_id, read_private_key
from .options import StrPath
from .zip_writer import set_times

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# Stands in manifests whose files are not complete yet.
NO_CONTRACT = "0" * 64


class BundleWriter:
    """Collects the files of a bundle.

    Args:
        folder: where they are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._roles: dict[str, Role] = {}

    def copy(self, source: Path, name: str, role: Role) -> Path:
        """Copy a file into the bundle; returns where it is."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self.folder / name)
        return self.add(name, role)

    def add(self, name: str, role: Role) -> Path:
        """Declare a file that is, or will be, in the folder; returns where."""
        self._roles[name] = role
        return self.folder / name

    def files(self) -> list[BundledFile]:
        """The manifest's `files`, hashed as they are now."""
        return [self._file(name) for name in sorted(self._roles)]

    def _file(self, name: str) -> BundledFile:
        path = self.folder / name
        return BundledFile(name, self._roles[name], sha256_file(path), path.stat().st_size)

    def seal(self, manifest: Manifest, sign_key: StrPath | None) -> Manifest:
        """Write manifest and signature, last; afterwards nothing may change. Returns the manifest as it was written."""
        key = read_private_key(Path(sign_key)) if sign_key else None
        sealed = replace(
            manifest,
            files=self.files(),
            contract=contract_sha256(self.folder, manifest),
            key_id=key_id(key.public_key()) if key else None,
            signature=SIGNATURE if key else None,
        )
        write_manifest(self.folder, sealed, key)
        return sealed


def write_manifest(folder: Path, manifest: Manifest, key: "Ed25519PrivateKey | None") -> None:
    """Write manifest.json, with a private key manifest.sig too, and set modes and times of everything."""
    text = (json.dumps(manifest.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if key is not None:
        (folder / SIGNATURE).write_bytes(key.sign(text))
    (folder / MANIFEST).write_bytes(text)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    if (epoch := os.environ.get("SOURCE_DATE_EPOCH")) is not None:
        set_times(folder, epoch)
