"""Fetching packages from the Python package index and from Debian, and the cache they are kept in."""

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


def download_debian_package(name: str, version: str, folder: Path) -> str:
    """Download a Debian package into an existing `folder`; returns the reason it failed, '' when it succeeded.

    Nothing is installed. apt verifies it against Debian's signatures; the caller compares its hash.
    """
    try:
        done = subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", f"{name}={version}"],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
    except FileNotFoundError:
        return "no apt-get"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    return "" if list(folder.glob("*.deb")) else "no output"
