"""What this machine can run, and what is missing for the rest."""

import shutil
from importlib import metadata
from typing import Any

from ..core.host import describe_host
from .runtimes import RUNTIMES, runtime_packages
from .targets import TARGETS, as_row

# Distribution that shows a stage's packages to be there, what they are for, and how to get them.
_STAGES = {
    "train": ("tensorflow-recommenders", "pip install 'pocketrec[train]'"),
    "convert": ("tensorflow", "pip install 'pocketrec[train]'"),
    "parity and latency statistics": ("scipy", "pip install 'pocketrec[bench]'"),
    "report": ("jinja2", "pip install 'pocketrec[bench]'"),
    "server-side ScaNN": ("scann", "pip install 'pocketrec[train]'"),
    "serve": ("fastapi", "pip install 'pocketrec[train,serve]'"),
    "latency --served": ("aiohttp", "pip install 'pocketrec[bench,serve]'"),
    "verify and recommend": ("ai-edge-litert", "pip install pocketrec"),
}
# Programs that nothing needs today's commands for, but that allow more.
_PROGRAMS = {"openssl": ("making signing keys", "apt-get install openssl")}


def examine() -> dict[str, Any]:
    """Host, and a list of checks: name, whether it is there, and the command that adds it where not."""
    checks = [_check(f"stage: {name}", _version(package), command) for name, (package, command) in _STAGES.items()]
    for name, runtime in RUNTIMES.items():
        reason = runtime.missing()
        checks.append(
            {
                "name": f"runtime: {name}",
                "ok": not reason,
                "found": reason.split(";")[0] or runtime.summary,
                "add": reason.partition("; ")[2],
            }
        )
    checks += [as_row(name) for name in TARGETS]
    checks += [
        _check(f"program: {name}", shutil.which(name) and what, command) for name, (what, command) in _PROGRAMS.items()
    ]
    return {"schema": "pocketrec.doctor/1", "host": describe_host(runtime_packages()), "checks": checks}


def _check(name: str, found: str | None, command: str) -> dict[str, Any]:
    return {"name": name, "ok": bool(found), "found": found or "missing", "add": "" if found else command}


def _version(package: str) -> str | None:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return None
