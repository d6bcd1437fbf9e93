"""Updates to test with: one chain of versions made once, and damage to copies of it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pocketrec.android_assets.reading.update_applier import apply_update
from pocketrec.android_assets.writing.options import BundleOptions, UpdateOptions
from pocketrec.android_assets.writing.update_writer import write_update
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.core.files.hashing import sha256_file
from pocketrec.core.run_dir import Run

# Two new items, and a third; in genres and title words that the MovieLens run and the tiny one both know.
FIRST = "movie_id,title,genres,year\nN1,The Silver Frontier,Western|Drama,1998\nN2,Night of the Musical Title,Musical,1997\n"
SECOND = "movie_id,title,genres,year\nN3,A Drama in Space,Comedy|Sci-Fi,1998\n"


@dataclass(frozen=True)
class Chain:
    """A bundle in version 1, updates from 1 to 2 and from 2 to 3, and the bundles they result in."""

    folder: Path
    bundles: dict[int, Path]
    updates: dict[int, Path]

    def installed(self, place: Path, version: int = 1) -> Path:
        """A copy of a version of the bundle that a test may change."""
        return Path(shutil.copytree(self.bundles[version], place / "installed"))


def make_chain(run: Path, folder: Path) -> Chain:
    """Write a chain without signatures."""
    bundles, updates = {1: folder / "v1"}, {}
    write_bundle(Run(run), bundles[1], BundleOptions(layout="split"))
    for version, text in ((2, FIRST), (3, SECOND)):
        (folder / f"new{version}.csv").write_text(text)
        updates[version] = folder / f"update{version}"
        options = UpdateOptions(base=bundles[version - 1], new_items=folder / f"new{version}.csv")
        write_update(Run(run), updates[version], options)
        bundles[version] = Path(shutil.copytree(bundles[version - 1], folder / f"v{version}"))
        apply_update(bundles[version], updates[version])
    return Chain(folder, bundles, updates)


def read(folder: Path) -> dict:
    """The manifest of a bundle or update, as JSON."""
    return json.loads((folder / "manifest.json").read_text())


def edit(folder: Path, change) -> None:
    """Change the manifest, and nothing that depends on it."""
    manifest = read(folder)
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rehash(folder: Path, name: str) -> None:
    """Make the manifest agree with a changed file."""

    def change(manifest):
        entry = next(row for row in manifest["files"] if row["path"] == name)
        entry |= {"sha256": sha256_file(folder / name), "bytes": (folder / name).stat().st_size}

    edit(folder, change)
