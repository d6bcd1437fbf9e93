import hashlib
from dataclasses import replace

import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pinned(monkeypatch):
    """Pins a made-up file in place of a module's package."""

    def pin(module, path):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setattr(module, "_PACKAGE", replace(module._PACKAGE, file=path.name, sha256=digest))

    return pin
