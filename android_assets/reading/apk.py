"""Whether the native libraries of an APK load on devices whose memory pages have 16 KB, as Google Play asks of apps for Android 15.

https://developer.android.com/guide/practices/page-sizes: segments of 64-bit libraries are aligned to 16,384 bytes; those stored
uncompressed, to be mapped from the APK, begin at such a multiple. 32-bit processors keep pages of 4 KB.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import CheckFailed, InputError
from ..format.elf import MAGIC, Elf, read_elf
from ..format.zip_alignment import LOCAL_HEADER
from .file_checks import shown

# Bits of a library to bytes of the largest page of a device that loads it.
PAGES = {32: 4_096, 64: 16_384}
# Of each library, the bytes that are read: the table of its segments stands right behind its header.
_MOST_BYTES = 1 << 20
# What the system's loader looks for.
_LOADED = re.compile(r"lib/[^/]+/[^/]+\.so")
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class NativeLibrary:
    """A shared library inside an APK.

    Attributes:
        name: Its path in the APK.
        bits: 32 or 64, of the processors it is for.
        alignment: Of its segments, the smallest, in bytes.
        start: The byte of the APK at which it begins, where the loader maps it from there; None where it is compressed.
        problem: Why it does not load where pages are as large as on any device that could load it; '' if it does.
    """

    name: str
    bits: int
    alignment: int
    start: int | None
    problem: str


def verify_apk(path: str | os.PathLike[str]) -> tuple[list[NativeLibrary], list[str]]:
    """Check that every native library of an APK loads on devices with pages of 16 KB.

    Args:
        path: an .apk file, whoever built it.

    Returns:
        Its libraries, and one line for each group of checks that passed.

    Raises:
        InputError: no such file, not an APK, or a library in it that is none.
        CheckFailed: libraries would not load (LIBRARY_UNALIGNED); each is named, with the reason.
    """
    libraries = read_libraries(Path(path))
    problems = [f"{shown(library.name)} ({library.problem})" for library in libraries if library.problem]
    if problems:
        raise CheckFailed(
            f"{len(problems)} of {len(libraries)} native libraries do not load on every device: {', '.join(problems)}; "
            "take versions linked for pages of 16 KB (-Wl,-z,max-page-size=16384), and align the APK with `zipalign -P 16`",
            code="LIBRARY_UNALIGNED",
        )
    return libraries, _passed(libraries)


def _passed(libraries: Sequence[NativeLibrary]) -> list[str]:
    counts = {bits: sum(library.bits == bits for library in libraries) for bits in (64, 32)}
    lines = [
        f"native libraries for {bits}-bit processors: {count}, aligned to {PAGES[bits]:,} bytes"
        for bits, count in counts.items()
        if count
    ]
    return lines or ["no native library: the app does not depend on the size of pages"]


def read_libraries(path: Path) -> list[NativeLibrary]:
    """The native libraries of an APK, by name.

    Raises:
        InputError: as `verify_apk` does.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            if "AndroidManifest.xml" not in archive.namelist():
                raise _unusable(path, "a zip without AndroidManifest.xml", "INPUT_INVALID")
            heads = list(_heads(archive))
            raw = {entry.filename: _data_start(path, entry) for entry, _ in heads if _is_mapped(entry)}
    except FileNotFoundError:
        raise _unusable(path, "no such file", "INPUT_MISSING") from None
    except _UNREADABLE as error:
        given = getattr(error, "strerror", None) or str(error)
        raise _unusable(path, given, "INPUT_UNREADABLE") from None
    return [_library(entry.filename, head, raw.get(entry.filename)) for entry, head in heads]


def _unusable(path: Path, given: str, code: str) -> InputError:
    return InputError("--apk", expected="an APK", given=f"{path} ({given})", do="name an app's .apk file", code=code)


def _heads(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    """Each library with its first bytes. Outside lib/ an app keeps what it likes under any name."""
    for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
        if entry.filename.endswith(".so"):
            with archive.open(entry) as data:
                head = data.read(_MOST_BYTES)
            if _LOADED.fullmatch(entry.filename) or head.startswith(MAGIC):
                yield entry, head


def _is_mapped(entry: zipfile.ZipInfo) -> bool:
    return entry.compress_type == zipfile.ZIP_STORED and bool(_LOADED.fullmatch(entry.filename))


def _data_start(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where an entry's bytes begin: behind its local header, whose padding is not the directory's (APPNOTE.TXT 4.3.7)."""
    with path.open("rb") as stream:
        stream.seek(entry.header_offset)
        header = stream.read(LOCAL_HEADER)
    return entry.header_offset + LOCAL_HEADER + sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28))


def _library(name: str, head: bytes, start: int | None) -> NativeLibrary:
    try:
        elf = read_elf(head)
    except ValueError as error:
        raise InputError(
            "--apk",
            expected="ELF shared libraries under lib/",
            given=f"{shown(name)}, {error}",
            do="build the APK again",
            code="INPUT_INVALID",
        ) from None
    alignment = min(segment.alignment for segment in elf.segments)
    return NativeLibrary(name, elf.bits, alignment, start, _problem(elf, alignment, start))


def _problem(elf: Elf, alignment: int, start: int | None) -> str:
    page = PAGES[elf.bits]
    if alignment < page:
        return f"segments aligned to {alignment:,} bytes, not {page:,}"
    if not all(segment.fits(page) for segment in elf.segments):
        return f"segments not laid out in multiples of {page:,} bytes"
    if start is not None and start % page:
        return f"at byte {start:,} of the APK, no multiple of {page:,}"
    return ""
