"""What this machine can run, and what is missing for the rest."""

import shutil
from importlib import metadata

from ..core.host import describe_host
from ..core.records.doctor import Check, Diagnosis
from .runtimes import RUNTIMES, runtime_packages
from .targets import TARGETS, check_target

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


def examine() -> Diagnosis:
    """Find out what is there, and the commands that add what is not."""
    checks = [_check(f"stage: {name}", _version(package), command) for name, (package, command) in _STAGES.items()]
    for name, runtime in RUNTIMES.items():
        reason = runtime.missing()
        missing, _, command = reason.partition("; ")
        checks.append(Check(f"runtime: {name}", not reason, missing or runtime.summary, command))
    checks += [check_target(name) for name in TARGETS]
    checks += [
        _check(f"program: {name}", shutil.which(name) and what, command) for name, (what, command) in _PROGRAMS.items()
    ]
    return Diagnosis("pocketrec.doctor/1", describe_host(runtime_packages()), checks)


def _check(name: str, found: str | None, command: str) -> Check:
    return Check(name, bool(found), found or "missing", "" if found else command)


def _version(package: str) -> str | None:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return None
