"""SwiftShader, a Vulkan driver in software: LiteRT's GPU accelerator runs its shaders on it where there is no GPU.

Debian's chromium package carries it, with the Vulkan loader. Three files are copied into the kit's cache; nothing is installed on
the system. Its times mean nothing, its answers are those of the accelerator's own shaders (decision 73).
"""

import os
import shutil
from pathlib import Path

from ..core.documents import write_json
from ..core.errors import InputError
from ..core.files.atomic import atomic_dir
from ..core.files.downloads import cache_dir
from ..core.files.hashing import sha256_file

INSTALL = "pocketrec doctor --install gpu"
# Where packages of Chromium keep the driver.
SOURCES = (Path("/usr/lib/chromium"), Path("/usr/lib/chromium-browser"), Path("/opt/google/chrome"))
_DRIVER = "vk_swiftshader_icd.json"
_FILES = (_DRIVER, "libvk_swiftshader.so", "libvulkan.so.1")
# Raised whenever what `install` writes changes.
_EDITION = "1"


def folder() -> Path:
    """Where the driver is kept."""
    return cache_dir() / f"gpu-{_EDITION}"


def missing() -> str:
    """Why it cannot be used, with the command that adds it; '' when it can."""
    return "" if (folder() / "manifest.json").is_file() else f"no Vulkan driver yet; {INSTALL}"


def missing_in_chromium() -> str:
    """Why Chromium has no such driver to run WebGPU on, with the command that adds it; '' when it has."""
    return "" if _source() else f"Chromium without {_FILES[1]}; apt-get install chromium"


def _source() -> Path | None:
    """A package of Chromium with the driver."""
    return next((place for place in SOURCES if all((place / name).is_file() for name in _FILES)), None)


def environment() -> dict[str, str]:
    """The environment of a process that finds this driver and no other."""
    place = str(folder())
    return {
        **os.environ,
        "LD_LIBRARY_PATH": place,
        "VK_ICD_FILENAMES": str(folder() / _DRIVER),
        "XDG_RUNTIME_DIR": str(folder() / "runtime"),
    }


def install() -> Path:
    """Copy the driver out of Chromium's package, once; returns the folder.

    Raises:
        InputError: no Chromium with the driver.
    """
    if not missing():
        return folder()
    source = _source()
    if source is None:
        raise InputError(
            "--install gpu",
            expected=f"Chromium's Vulkan driver ({', '.join(_FILES)})",
            given=f"none in {', '.join(map(str, SOURCES))}",
            do="run `apt-get install chromium`",
            code="NOT_INSTALLED",
        )
    with atomic_dir(folder()) as made:
        for name in _FILES:
            shutil.copyfile(source / name, made / name)
        # The Vulkan loader and Dawn want one that nobody else can read.
        (made / "runtime").mkdir(mode=0o700)
        hashes = {name: sha256_file(made / name) for name in _FILES}
        write_json(made / "manifest.json", {"schema": "pocketrec.gpu/1", "files": hashes})
    return folder()
