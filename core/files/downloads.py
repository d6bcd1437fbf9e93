"""Fetching packages from the Python package index, pinned by hash, and the cache they are kept in."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def cache_dir() -> Path:
    """The kit's folder below the user's cache directory (`POCKETREC_CACHE`, else `XDG_CACHE_HOME`, else ~/.cache)."""
    if explicit := os.environ.get("POCKETREC_CACHE"):
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pocketrec"


def download_wheels(pinned: Mapping[str, str], folder: Path, options: Sequence[str] = ()) -> str:
    """Download wheels into an existing `folder`; returns the reason it failed, '' when it succeeded.

    Args:
        pinned: requirement such as `numpy==1.26.4` to the SHA-256 of its wheel.
        options: further options of pip, such as another platform.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{name} --hash=sha256:{digest}\n" for name, digest in pinned.items()))
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
    ]
    command += ["--only-binary=:all:", "--retries", "2", *options, "--dest", str(folder), "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    return "" if list(folder.glob("*.whl")) else "no output"
