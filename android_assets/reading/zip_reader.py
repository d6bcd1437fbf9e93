"""Reading a zip so that no two readers can understand it differently (APPNOTE.TXT, sections 4.3 to 4.5).

Python's zipfile accepts what must not be accepted of an untrusted file: data before, between and behind entries, local headers
that contradict the directory, duplicate names. Here the entries follow one another from the first byte on, then come the directory
and its end record, and nothing else; every field is as zip_writer writes it. Zip64, encryption, streamed entries and methods other
than stored and deflate are refused: a bundle under 4 GiB needs none of them.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from ...core.errors import CheckFailed
from ..format.zip_alignment import padding_field

STORED, DEFLATED = 0, 8
_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
_MOST_DIRECTORY = 4 << 20
_BLOCK = 1 << 18
_UNIX, _DOS_FOLDER = 3, 0x10
# Made by and needed version 2.0, a regular file of mode 0644.
_WRITTEN = (_UNIX << 8 | 20, 20, 0o100644 << 16)


@dataclass(frozen=True)
class Entry:
    """One file of a zip.

    Attributes:
        packed, size: compressed and uncompressed size in bytes.
        start: offset of its data in bytes.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    start: int


@dataclass(frozen=True)
class _Row:
    """An entry of the central directory."""

    name: bytes
    needed: int
    flags: int
    method: int
    when: tuple[int, ...]
    crc: int
    packed: int
    size: int
    extra: bytes
    offset: int


def is_zip(stream: IO[bytes]) -> bool:
    """Whether a file begins as a zip with entries does."""
    stream.seek(0)
    return stream.read(4) == b"PK\3\4"


def read_entries(stream: IO[bytes], most: int) -> list[Entry]:
    """All entries of a zip, in the order of its directory.

    Args:
        most: maximum number of entries.

    Raises:
        CheckFailed: malformed or ambiguous, with the reason.
    """
    try:
        start, rows = _directory(stream, most)
    except struct.error:
        raise _fail("zip: its directory is damaged") from None
    seen: set[bytes] = set()
    for row in rows:
        if row.name in seen:
            raise _fail(f"zip: two entries are named {_shown(row.name)}", "FILE_UNDECLARED")
        seen.add(row.name)
    places, at = {}, 0
    for row in rows:
        if row.offset != at:
            what = "overlap" if row.offset < at else "leave bytes between them"
            raise _fail(f"zip: entries {what} at {_shown(row.name)}")
        if row.when != rows[0].when:
            raise _fail(
                f"zip: the timestamp of {_shown(row.name)} differs from the others'; pack with `pocketrec bundle --zip`"
            )
        places[row.name] = _data_start(stream, row)
        at = places[row.name] + row.packed
    if at != start:
        raise _fail("zip: bytes between the last entry and the directory, or entries that reach into it")
    return [
        Entry(row.name.decode("ascii"), row.method, row.crc, row.packed, row.size, places[row.name]) for row in rows
    ]


def _fail(reason: str, code: str = "ZIP_INVALID") -> CheckFailed:
    return CheckFailed(reason, code=code)


def _shown(name: bytes) -> str:
    return repr(name.decode("utf-8", "backslashreplace"))


def _directory(stream: IO[bytes], most: int) -> tuple[int, list[_Row]]:
    """Offset of the directory, and its rows."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _END.size))
    magic, disk, first_disk, here, count, length, start, comment = _END.unpack(stream.read(_END.size))
    if magic != b"PK\5\6" or comment:
        raise _fail("zip: truncated, or data follows its end")
    if (disk, first_disk) != (0, 0) or here != count or start + length + _END.size != size:
        raise _fail("zip: its end record does not fit the file")
    if count > most or length > _MOST_DIRECTORY:
        raise _fail(f"zip: {count} entries, expected at most {most}")
    stream.seek(start)
    data, rows, at = stream.read(length), [], 0
    for _ in range(count):
        row, at = _row(data, at)
        rows.append(row)
    if at != length:
        raise _fail("zip: its directory is longer than its entries")
    return start, rows


def _row(data: bytes, at: int) -> tuple[_Row, int]:
    fields = _CENTRAL.unpack_from(data, at)
    magic, made_by, needed, flags, method, *when, crc, packed, size = fields[:10]
    name_bytes, extra, comment, disk, _, mode, offset = fields[10:]
    end = at + _CENTRAL.size + name_bytes
    name, padding = data[at + _CENTRAL.size : end], data[end : end + extra]
    if magic != b"PK\1\2" or end + extra + comment > len(data):
        raise _fail("zip: its directory is damaged")
    row = _Row(name, needed, flags, method, tuple(when), crc, packed, size, padding, offset)
    _check_kind(row, made_by >> 8, mode)
    _check_reading(row)
    if (made_by, needed, mode, comment, disk, data[at + 36 : at + 38]) != (*_WRITTEN, 0, 0, b"\0\0"):
        raise _fail(f"zip: {_shown(name)} is not as this kit packs it; pack the bundle with `pocketrec bundle --zip`")
    return row, end + extra


def _check_kind(row: _Row, system: int, attributes: int) -> None:
    name, kind = _shown(row.name), stat.S_IFMT(attributes >> 16) if system == _UNIX else 0
    if kind == stat.S_IFDIR or attributes & _DOS_FOLDER or row.name.endswith(b"/"):
        raise _fail(f"zip: {name} is a folder; a bundle's zip has entries for files only", "FILE_UNDECLARED")
    if kind not in (0, stat.S_IFREG):
        raise _fail(f"zip: {name} is a link or device, not a file", "FILE_UNDECLARED")
    if not row.name.isascii():
        raise _fail(f"zip: {name} is not a plain relative path", "FILE_UNDECLARED")


def _check_reading(row: _Row) -> None:
    name = _shown(row.name)
    if row.flags & 1:
        raise _fail(f"zip: {name} is encrypted")
    if row.flags:
        raise _fail(f"zip: {name} has flags {row.flags:#x}; pack the bundle with `pocketrec bundle --zip`")
    if row.method not in (STORED, DEFLATED):
        raise _fail(f"zip: {name} is compressed by method {row.method}, expected stored or deflated")
    if row.method == STORED and row.packed != row.size:
        raise _fail(f"zip: {name} is stored but has two sizes, {row.packed} and {row.size}")
    if row.extra and row.extra != padding_field(max(0, len(row.extra) - len(padding_field(0)))):
        raise _fail(f"zip: {name} has an unexpected extra field")


def _data_start(stream: IO[bytes], row: _Row) -> int:
    """Offset of an entry's data, by its local header, which must agree with the directory."""
    stream.seek(row.offset)
    head = stream.read(_LOCAL.size)
    if len(head) != _LOCAL.size or head[:4] != b"PK\3\4":
        raise _fail(f"zip: {_shown(row.name)} has no local header")
    _, needed, flags, method, *when, crc, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(head)
    name, extra = stream.read(name_bytes), stream.read(extra_bytes)
    local = _Row(name, needed, flags, method, tuple(when), crc, packed, size, extra, row.offset)
    if local != row:
        raise _fail(f"zip: the local header of {_shown(row.name)} differs from the directory")
    return row.offset + _LOCAL.size + name_bytes + extra_bytes


def blocks(stream: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """An entry's bytes, never more than its size.

    Raises:
        CheckFailed: it becomes more or fewer bytes than its size, is damaged, or has another CRC-32.
    """
    stream.seek(entry.start)
    pieces = _inflated(stream, entry) if entry.method == DEFLATED else _raw(stream, entry.packed)
    crc = total = 0
    for piece in pieces:
        total += len(piece)
        if total > entry.size:
            break
        crc = zlib.crc32(piece, crc)
        yield piece
    if total != entry.size:
        what = "more" if total > entry.size else "fewer"
        raise _fail(f"{entry.name}: unpacks to {what} than the {entry.size} bytes it declares", "FILE_SIZE")
    if crc != entry.crc:
        raise _fail(f"{entry.name}: its CRC differs from the zip's", "IO")


def _raw(stream: IO[bytes], left: int) -> Iterator[bytes]:
    while left and (piece := stream.read(min(_BLOCK, left))):
        left -= len(piece)
        yield piece


def _inflated(stream: IO[bytes], entry: Entry) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in _raw(stream, entry.packed):
            while piece:
                if inflate.eof:
                    raise _fail(f"{entry.name}: data follows its deflated end", "IO")
                yield inflate.decompress(piece, _BLOCK)
                piece = inflate.unconsumed_tail or inflate.unused_data
    except zlib.error as error:
        raise _fail(f"{entry.name}: damaged ({error})", "IO") from None
    if not inflate.eof:
        raise _fail(f"{entry.name}: its deflated data is truncated", "IO")
