"""Breaking bundles on purpose: editing manifests, hashing again, and zips with arbitrary headers."""

import json
import struct
import zipfile
import zlib
from dataclasses import dataclass, field, replace

import msgspec
from pocketrec.android_assets.format.contract import contract_sha256
from pocketrec.android_assets.format.manifest import Manifest
from pocketrec.android_assets.format.zip_alignment import ALIGNMENT, padding_field
from pocketrec.core.files.hashing import sha256_file


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def edit(folder, change):
    """Change the manifest, and nothing that depends on it."""
    manifest = manifest_of(folder)
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def edit_json(folder, name, change):
    """Change a JSON file, and make the manifest agree."""
    document = json.loads((folder / name).read_text())
    change(document)
    (folder / name).write_text(json.dumps(document))
    rehash(folder, name)


def rehash(folder, *names):
    """Make the manifest's `files` agree with changed files, as a careless or hostile editor would."""

    def change(manifest):
        for row in manifest["files"]:
            if row["path"] in names:
                row |= {"sha256": sha256_file(folder / row["path"]), "bytes": (folder / row["path"]).stat().st_size}

    edit(folder, change)


def reseal(folder):
    """Make hashes and contract agree with the files as they are, unsigned: what anybody with the kit but without a key can do."""
    manifest = manifest_of(folder)
    for row in manifest["files"]:
        row |= {"sha256": sha256_file(folder / row["path"]), "bytes": (folder / row["path"]).stat().st_size}
    manifest["contract"] = contract_sha256(folder, msgspec.convert(manifest, Manifest))
    manifest["key_id"] = manifest["signature"] = None
    (folder / "manifest.sig").unlink(missing_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def flip(path, position=None, bit=0):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if position is None else position] ^= 1 << bit
    path.write_bytes(data)


@dataclass
class Packed:
    """An entry of a zip; fields of its headers that shall be false."""

    name: str
    data: bytes
    method: int = 8
    mode: int = 0o100644
    size: int | None = None
    flags: int = 0
    system: int = 3
    extra: bytes | None = None
    local: dict = field(default_factory=dict)
    gap: bytes = b""
    packed: bytes | None = None
    raw_name: bytes | None = None

    def body(self):
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.data
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(self.data) + deflate.flush()


def entries_of(path):
    """Entries of a zip of the kit's."""
    with zipfile.ZipFile(path) as archive:
        return [Packed(info.filename, archive.read(info), info.compress_type) for info in archive.infolist()]


def build(entries, *, before=b"", between=b"", after=b"", comment=b"", count=None):
    """Bytes of a zip, laid out as the kit does it; `before`, `between` (entries and directory), `after`: what does not belong."""
    out, directory = bytearray(before), bytearray()
    for entry in entries:
        name, body = entry.raw_name or entry.name.encode(), entry.body()
        out += entry.gap
        offset, extra = len(out), entry.extra
        if extra is None:
            extra = b""
            if entry.method == 0 and entry.name.endswith((".tflite", ".npy")):
                extra = padding_field(-(offset + 30 + len(name) + 6) % ALIGNMENT)
        size = len(entry.data) if entry.size is None else entry.size
        head = {
            "flags": entry.flags,
            "method": entry.method,
            "time": 0,
            "day": 33,
            "crc": zlib.crc32(entry.data),
            "packed": len(body),
            "size": size,
            "name": name,
            "extra": extra,
        }
        out += _local(**(head | entry.local)) + body
        directory += _central(entry, offset, **head)
    out += between
    start, number = len(out), len(entries) if count is None else count
    out += directory
    return bytes(
        out
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number, number, len(directory), start, len(comment))
        + comment
        + after
    )


def _local(*, flags, method, time, day, crc, packed, size, name, extra):
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, method, time, day, crc, packed, size, len(name), len(extra))
    return head + name + extra


def _central(entry, offset, *, flags, method, time, day, crc, packed, size, name, extra):
    fixed = (entry.system << 8 | 20, 20, flags, method, time, day, crc, packed, size)
    lengths = (len(name), len(extra), 0, 0, 0)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *fixed, *lengths, entry.mode << 16, offset) + name + extra


def with_entry(entries, name, /, **change):
    """The same entries, one of them changed."""
    return [replace(entry, **change) if entry.name == name else entry for entry in entries]
