"""A bundle as one zip file whose models can be memory-mapped, with fixed times."""

import os
import time
import zipfile
from pathlib import Path

from ...core.errors import InputError
from ...core.files.atomic import write_via
from ..format.zip_alignment import ALIGNMENT, LOCAL_HEADER, padding_field

_STORED = (".tflite", ".npy")


_EARLIEST, _LATEST = 315_532_800, 4_354_819_199  # a zip's clock runs from 1980 to 2107


def source_date(text: str | None) -> int:
    """Seconds since 1970 from SOURCE_DATE_EPOCH (reproducible-builds.org), within what a zip can hold; 1980 when not set.

    Raises:
        InputError: not a whole number.
    """
    if text is None:
        return _EARLIEST
    try:
        seconds = int(text)
    except ValueError:
        raise InputError(
            "SOURCE_DATE_EPOCH",
            expected="seconds since 1970",
            given=repr(text),
            do="unset it, or set a whole number",
            code="INPUT_INVALID",
        ) from None
    return min(max(seconds, _EARLIEST), _LATEST)


def set_times(folder: Path, text: str) -> None:
    """Give every file and directory the time of SOURCE_DATE_EPOCH."""
    seconds = source_date(text)
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (seconds, seconds))


def require_no_file(path: Path) -> None:
    """Refuse to overwrite a file or directory.

    Raises:
        InputError: it exists.
    """
    if path.exists() or path.is_symlink():
        raise InputError(
            "--zip",
            expected="a new file",
            given=f"{path}, which exists",
            do="remove it or name another",
            code="OUTPUT_EXISTS",
        )


def write_zip(folder: Path, out: Path) -> None:
    """Pack a bundle: manifest and signature first, then files by name; models and candidates stored at multiples of `ALIGNMENT`.

    The same files give the same bytes, but for the zlib that deflates the texts. Written whole, or not at all.

    Raises:
        InputError: the place cannot be written.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files.sort(key=lambda path: not path.name.startswith("manifest."))
    when = time.gmtime(source_date(os.environ.get("SOURCE_DATE_EPOCH")))[:6]
    with write_via(out) as stream, zipfile.ZipFile(stream, "w") as archive:
        for path in files:
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), when)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            is_stored = path.suffix in _STORED
            info.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
            info.file_size = path.stat().st_size
            if is_stored:
                info.extra = _padding(archive.start_dir, len(info.filename.encode()))
            with path.open("rb") as source, archive.open(info, "w", force_zip64=False) as entry:
                while block := source.read(1 << 20):
                    entry.write(block)


def _padding(offset: int, name_bytes: int) -> bytes:
    """An extra field by which the data after a local header at `offset` starts at a multiple of `ALIGNMENT`."""
    least = offset + LOCAL_HEADER + name_bytes + 6  # the field's id, length, and the alignment it states
    return padding_field(-least % ALIGNMENT)
