"""Program headers of an ELF shared library: where the loader maps its parts (System V ABI, chapter 5)."""

import struct
from dataclasses import dataclass

MAGIC = b"\x7fELF"
_LITTLE_ENDIAN, _LOAD = 1, 1


@dataclass(frozen=True)
class _Layout:
    """Where the fields are, as structs that skip what is between.

    Attributes:
        table: e_phoff.
        counts: e_phentsize and e_phnum.
        segment: of a program header, p_type, p_offset, p_vaddr and p_align.
    """

    table: struct.Struct
    counts: struct.Struct
    segment: struct.Struct


# By EI_CLASS, the fifth byte: the bits of an address, and the layout.
_LAYOUTS = {
    1: (32, _Layout(struct.Struct("<28xL"), struct.Struct("<42x2H"), struct.Struct("<3L16xL"))),
    2: (64, _Layout(struct.Struct("<32xQ"), struct.Struct("<54x2H"), struct.Struct("<L4x2Q24xQ"))),
}


@dataclass(frozen=True)
class Segment:
    """A part of the file that is mapped.

    Attributes:
        offset: where it begins in the file, in bytes.
        address: where it begins in memory, in bytes from where the library is loaded.
        alignment: of both, in bytes; 0 and 1 for none.
    """

    offset: int
    address: int
    alignment: int

    def fits(self, page: int) -> bool:
        """Whether it can be mapped where memory is mapped in pages of `page` bytes."""
        return self.alignment > 0 and self.alignment % page == 0 and (self.address - self.offset) % page == 0


@dataclass(frozen=True)
class Elf:
    """What matters for loading a library.

    Attributes:
        bits: 32 or 64.
        segments: those that are loaded (PT_LOAD).
    """

    bits: int
    segments: tuple[Segment, ...]


def read_elf(data: bytes) -> Elf:
    """The segments of a library.

    Args:
        data: the file, or as much of its beginning as holds the table of segments.

    Raises:
        ValueError: it is no little-endian ELF file with segments to load, or its table of segments is beyond `data`.
    """
    if data[:4] != MAGIC:
        raise ValueError("no ELF file")
    if len(data) < 6 or data[4] not in _LAYOUTS or data[5] != _LITTLE_ENDIAN:
        raise ValueError("an ELF file for no processor of Android's")
    bits, layout = _LAYOUTS[data[4]]
    try:
        (table,) = layout.table.unpack_from(data)
        size, count = layout.counts.unpack_from(data)
        rows = [layout.segment.unpack_from(data, table + size * index) for index in range(count)]
    except (struct.error, OverflowError):
        raise ValueError("an ELF file that is cut off") from None
    segments = tuple(Segment(*row[1:]) for row in rows if row[0] == _LOAD)
    if not segments:
        raise ValueError("an ELF file with nothing to load")
    return Elf(bits, segments)
