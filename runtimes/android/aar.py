"""The TFLite library inside an Android archive (AAR), made ready to run here: `org.tensorflow:tensorflow-lite` or an app's own."""

import shutil
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import InputError
from .bionic import BuildFailed, build, symbols_of

# What a prepared library is called, whatever the archive calls it; beside it lie the libraries of bionic.
LIBRARY = "tflite.so"
# A function of TFLite's C API: the library that defines it is the one that is meant.
_ENTRY = "TfLiteInterpreterCreate"


@dataclass(frozen=True)
class Abi:
    """A kind of processor that an AAR has libraries for.

    Attributes:
        name: its folder in an AAR.
        platforms: the kinds of targets it runs on (`Target.platform`).
        machine: what `uname -m` says there.
        compiler: a GCC for it.
        package: Debian's package of the compiler.
    """

    name: str
    platforms: tuple[str, ...]
    machine: str
    compiler: str
    package: str


ABIS = (
    Abi("x86_64", ("host",), "x86_64", "gcc", "gcc"),
    Abi("arm64-v8a", ("arm64", "adb"), "aarch64", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
)
# Where bionic is there by itself.
_PHONE = "adb"


def require_compilers(what: str, abis: Sequence[Abi] = ABIS) -> None:
    """Refuse to go on where a program is missing that looks into libraries, or a compiler.

    Args:
        what: the option that needs them.
        abis: the processors that something is compiled for.

    Raises:
        InputError: one is missing.
    """
    programs = {"readelf": "binutils", **{abi.compiler: abi.package for abi in abis}}
    if lacking := [program for program in programs if not shutil.which(program)]:
        raise InputError(
            what,
            expected="readelf, and a C compiler for each processor",
            given=f"no {', '.join(lacking)}",
            do=f"run `apt-get install {' '.join(programs[program] for program in lacking)}`",
            code="NOT_INSTALLED",
        )


def prepare(aar: Path, folder: Path, *, what: str, platforms: Collection[str] = ("host", "arm64")) -> list[str]:
    """Unpack the TFLite libraries of an AAR and make what they need of bionic.

    Args:
        aar: the archive.
        folder: an existing folder; a folder of each ABI's name is made in it, with `LIBRARY` and the libraries of bionic, which a
            phone has itself.
        what: the option that named the archive.
        platforms: kinds of targets that are wanted (`Target.platform`).

    Returns:
        The platforms that the archive has a library for, of those wanted.

    Raises:
        InputError: it is no AAR, holds no library for these platforms or none with TFLite's C API, or a compiler is missing or
            fails.
    """
    wanted = [abi for abi in ABIS if set(abi.platforms) & set(platforms)]
    try:
        with zipfile.ZipFile(aar) as archive:
            names = [name for name in archive.namelist() if name.startswith("jni/") and name.endswith(".so")]
            found = [abi for abi in wanted if any(name.startswith(f"jni/{abi.name}/") for name in names)]
            if not found:
                held = ", ".join(sorted({name.split("/")[1] for name in names})) or "no library"
                expected = f"a library for {' or '.join(abi.name for abi in wanted)}"
                raise _invalid(what, expected, f"{aar.name} with {held}", "name another AAR, or another --target")
            standing_in = [abi for abi in found if set(abi.platforms) & set(platforms) - {_PHONE}]
            require_compilers(what, standing_in)
            for abi in found:
                own = {name: archive.read(name) for name in names if name.startswith(f"jni/{abi.name}/")}
                _prepare_abi(own, folder / abi.name, abi, what, with_bionic=abi in standing_in)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            what, expected="an AAR", given=f"{aar}: {error}", do="name another file", code="INPUT_UNREADABLE"
        ) from None
    return [platform for abi in found for platform in abi.platforms if platform in platforms]


def _prepare_abi(libraries: dict[str, bytes], folder: Path, abi: Abi, what: str, *, with_bionic: bool) -> None:
    folder.mkdir()
    path = folder / LIBRARY
    try:
        for data in libraries.values():
            path.write_bytes(data)
            if any(symbol.name == _ENTRY and not symbol.is_wanted for symbol in symbols_of(path)):
                if with_bionic:
                    build(path, folder=folder, compiler=abi.compiler, machine=abi.machine)
                return
    except BuildFailed as error:
        raise _invalid(what, f"a library that runs on this kit's bionic ({abi.name})", str(error)[:200]) from None
    names = ", ".join(name.rpartition("/")[2] for name in libraries)
    raise _invalid(what, f"a library with TFLite's C API ({_ENTRY})", f"{names} ({abi.name}) without it")


def _invalid(what: str, expected: str, given: str, do: str = "name another AAR") -> InputError:
    return InputError(what, expected=expected, given=given, do=do, code="INPUT_INVALID")


def libraries(folder: Path) -> dict[str, str]:
    """Machine to the path of the library that was prepared for it, for the SPEC of tflite_worker.py."""
    found = {abi.machine: folder / abi.name / LIBRARY for abi in ABIS}
    return {machine: str(path) for machine, path in found.items() if path.is_file()}


def environment(folder: Path, platform: str) -> dict[str, str]:
    """Variables that a process needs to load the library on a kind of target."""
    if platform != "arm64":
        return {}
    (abi,) = (abi for abi in ABIS if platform in abi.platforms)
    return {"LD_PRELOAD": str(folder / abi.name / "libc.so")}
