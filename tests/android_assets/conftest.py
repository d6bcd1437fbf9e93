"""Signed bundles of the tiny run in each layout, to damage copies of."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from pocketrec.android_assets.format.layouts import LAYOUTS
from pocketrec.android_assets.format.signing import make_keys
from pocketrec.android_assets.writing.options import BundleOptions
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.run_dir import Run

from tests.android_assets.updating import Chain, make_chain


@dataclass(frozen=True)
class Signed:
    """Bundles of one run, signed by `key`; `folder / LAYOUT` and `folder / LAYOUT.zip`. `other` is a key that signed nothing."""

    folder: Path
    key: Path
    other: Path
    private: Path
    private_other: Path


@pytest.fixture(scope="session")
def signed(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    folder = tmp_path_factory.mktemp("signed")
    (ours, _), (theirs, _) = (make_keys(folder / f"{name}.pem") for name in ("ours", "theirs"))
    for layout in LAYOUTS:
        write_bundle(Run(tiny), folder / layout, BundleOptions(layout=layout, sign_key=folder / "ours.pem"))
        write_zip(folder / layout, folder / f"{layout}.zip")
    return Signed(folder, ours, theirs, folder / "ours.pem", folder / "theirs.pem")


@pytest.fixture
def pair(signed: Signed, tmp_path: Path) -> Path:
    """A copy of the bundle with two models that a test may damage."""
    return Path(shutil.copytree(signed.folder / "pair", tmp_path / "pair"))


@pytest.fixture
def split(signed: Signed, tmp_path: Path) -> Path:
    """A copy of the bundle with candidates that a test may damage."""
    return Path(shutil.copytree(signed.folder / "split", tmp_path / "split"))


@pytest.fixture(scope="session")
def chain(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A bundle and two updates of it; read-only by convention."""
    return make_chain(tiny, tmp_path_factory.mktemp("chain"))
