"""What the numbers were measured on: processor, system and the versions that matter."""

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

# Besides the packages that carry a runtime, which the table of runtimes names.
_PACKAGES = (
    "pocketrec",
    "numpy",
    "tensorflow",
    "tf-keras",
    "tensorflow-recommenders",
    "tensorflow-datasets",
    "scann",
    "ai-edge-litert",
    "litert-quantizer",
)
_TELLING_FLAGS = (
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)


def describe_host(runtime_packages: Iterable[str]) -> dict[str, object]:
    """Return processor model, selected CPU flags, usable CPU count, memory in bytes, system, Python and package versions.

    Args:
        runtime_packages: distributions that carry runtimes (`runtimes.runtime_packages()`), recorded where installed.

    Holds no host name, user name or path, so it may be published.
    """
    fields = _cpuinfo()
    return {
        "machine": platform.machine(),
        "cpu": fields.get("model name") or platform.processor() or "unknown",
        "cpu_flags": cpu_flags(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": package_versions([*_PACKAGES, *runtime_packages]),
    }


def cpu_flags() -> list[str]:
    """Those of the processor's flags that change kernels."""
    fields = _cpuinfo()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return [flag for flag in _TELLING_FLAGS if flag in flags]


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of those distributions that are installed; read from metadata, nothing is imported."""
    found = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in reversed(lines) if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
