"""Zips that are not what `pocketrec bundle --zip` writes are refused with the reason, and leave nothing behind."""

import os
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from pocketrec.android_assets.format.zip_alignment import padding_field
from pocketrec.android_assets.reading.unpack import unpacked
from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.errors import CheckFailed, InputError

from tests.android_assets.breaking import Packed, build, edit, entries_of, flip, reseal, with_entry
from tests.android_assets.reading.refusals import RANKER, refusal
from tests.conftest import raises, refused


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files go; must be empty again."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    assert not list(folder.iterdir())
    assert {path.name for path in tmp_path.iterdir()} <= {"tmp", "b.zip", "pair"}


def test_the_zips_of_these_tests_are_the_kits(signed, tmp_path):
    for layout in ("cascade", "pair", "split"):
        (tmp_path / "b.zip").write_bytes(build(entries_of(signed.folder / f"{layout}.zip")))
        open_bundle(tmp_path / "b.zip", keys=[signed.key]).close()


def deflated(data):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush()


def extra(name, data=b"x", **more):
    return lambda entries: build([*entries, Packed(name, data, **more)])


def change(name, /, **fields):
    return lambda entries: build(with_entry(entries, name, **fields))


def local(name, /, **fields):
    return change(name, local=fields)


def bomb(entries):
    """4 KB that become 4 MB under a size that is declared as true."""
    items = next(entry for entry in entries if entry.name == "items.json")
    return build(with_entry(entries, "items.json", packed=deflated(items.data + bytes(4 << 20))))


def tail_edited(change):
    """A change of the end record's fields."""

    def damage(entries):
        data = bytearray(build(entries))
        fields = list(struct.unpack("<4s4H2LH", data[-22:]))
        change(fields)
        return bytes(data[:-22]) + struct.pack("<4s4H2LH", *fields)

    return damage


def overlapping(entries):
    """Two entries of the directory that share one local header, as in the overlapping kind of bomb."""
    data = bytearray(build(entries))
    rows = [at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2"]
    data[rows[3] + 42 : rows[3] + 46] = data[rows[2] + 42 : rows[2] + 46]
    return bytes(data)


def nested(entries):
    """Stored bytes of one entry hold the next one's header."""
    data = bytearray(build(entries))
    rows = [at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2"]
    (offset,) = struct.unpack("<L", data[rows[3] + 42 : rows[3] + 46])
    data[rows[3] + 42 : rows[3] + 46] = struct.pack("<L", offset - 4)
    return bytes(data)


def other_time(entries):
    """In both headers of one entry."""
    data = bytearray(build(entries))
    (row,) = [
        at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2" and data[at + 46 : at + 56] == b"items.json"
    ]
    (offset,) = struct.unpack("<L", data[row + 42 : row + 46])
    data[row + 12] ^= 1
    data[offset + 10] ^= 1
    return bytes(data)


BROKEN = {
    "entry twice": (lambda e: build([*e, e[-1]]), "FILE_UNDECLARED", "vocabularies/preferences.txt"),
    "manifest twice": (lambda e: build([*e, e[0]]), "FILE_UNDECLARED", "manifest.json"),
    "no manifest": (lambda e: build(e[1:]), "MANIFEST_MISSING", "manifest.json"),
    "no entries": (lambda e: build([]), "MANIFEST_MISSING", "manifest.json"),
    "missing entry": (lambda e: build([x for x in e if x.name != "items.json"]), "FILE_MISSING", "items.json"),
    "no signature": (lambda e: build([x for x in e if x.name != "manifest.sig"]), "SIGNATURE_MISSING", "manifest.sig"),
    "extra entry": (extra("extra.bin"), "FILE_UNDECLARED", "extra.bin"),
    "renamed entry": (change("items.json", name="things.json"), "FILE_UNDECLARED", "things.json"),
    "absolute path": (extra("/etc/cron.d/x"), "FILE_UNDECLARED", "/etc/cron.d/x"),
    "path upwards": (extra("../x"), "FILE_UNDECLARED", "../x"),
    "path upwards within": (extra("models/../../x"), "FILE_UNDECLARED", ""),
    "path with backslashes": (extra("..\\x"), "FILE_UNDECLARED", ""),
    "path with a zero": (extra("x\0y"), "FILE_UNDECLARED", ""),
    "path that is no UTF-8": (extra("x", raw_name=b"\xff\xfe"), "FILE_UNDECLARED", ""),
    "path without a name": (extra(""), "FILE_UNDECLARED", ""),
    "path with an accent": (extra("ä.json"), "FILE_UNDECLARED", ""),
    "case collision": (extra("ITEMS.json"), "FILE_UNDECLARED", "items.json"),
    "case collision of manifests": (extra("MANIFEST.json"), "FILE_UNDECLARED", ""),
    "file below a file": (extra("items.json/x"), "FILE_UNDECLARED", ""),
    "symlink": (extra("link", b"/etc/passwd", mode=0o120777, method=0), "FILE_UNDECLARED", "link"),
    "symlink in a file's place": (change("items.json", mode=0o120777), "FILE_UNDECLARED", "items.json"),
    "device": (extra("null", mode=0o020666), "FILE_UNDECLARED", "null"),
    "pipe": (extra("pipe", mode=0o010644), "FILE_UNDECLARED", "pipe"),
    "folder": (extra("models/", b"", mode=0o040755), "FILE_UNDECLARED", "models/"),
    "folder without saying so": (extra("models/", b""), "FILE_UNDECLARED", "models/"),
    "mode": (change("items.json", mode=0o104755), "ZIP_INVALID", "zip"),
    "made elsewhere": (change("items.json", system=0), "ZIP_INVALID", "zip"),
    "encrypted": (change("items.json", flags=1), "ZIP_INVALID", "items.json"),
    "streamed": (change("items.json", flags=8), "ZIP_INVALID", "items.json"),
    "other method": (change("items.json", method=12), "ZIP_INVALID", "zip"),
    "bomb": (bomb, "FILE_SIZE", "items.json"),
    "size declared too large": (change("items.json", size=1 << 30), "FILE_SIZE", "items.json"),
    "size declared too small": (change("items.json", size=100), "FILE_SIZE", "items.json"),
    "manifest beyond its limit": (change("manifest.json", size=1 << 25), "FILE_SIZE", "manifest.json"),
    "manifest that is a bomb": (
        change("manifest.json", packed=deflated(bytes(1 << 25))),
        "FILE_SIZE",
        "manifest.json",
    ),
    "signature beyond its limit": (change("manifest.sig", size=65), "FILE_SIZE", "manifest.sig"),
    "shorter than it says": (change("items.json", packed=deflated(b"[]")), "FILE_SIZE", "items.json"),
    "deflated data cut": (
        lambda e: build(with_entry(e, "items.json", packed=e[3].body()[:-9])),
        "IO",
        "items.json",
    ),
    "deflated data with a tail": (
        lambda e: build(with_entry(e, "items.json", packed=e[3].body() + b"more")),
        "IO",
        "items.json",
    ),
    "deflated data damaged": (change("items.json", packed=b"\xff" * 99), "IO", "items.json"),
    "another CRC": (
        lambda e: build(with_entry(e, "items.json", data=e[3].data[:-2] + b"!\n", packed=e[3].body())),
        "IO",
        "",
    ),
    "stored with two sizes": (change(RANKER, size=7), "ZIP_INVALID", "zip"),
    "model deflated": (change(RANKER, method=8), "ZIP_INVALID", RANKER),
    "model not aligned": (change(RANKER, extra=b""), "ZIP_INVALID", RANKER),
    "extra field": (change("items.json", extra=struct.pack("<HHL", 0x7075, 4, 0)), "ZIP_INVALID", "zip"),
    "padding not of zeros": (change("items.json", extra=padding_field(8)[:-1] + b"x"), "ZIP_INVALID", "zip"),
    "local name differs": (local("items.json", name=b"ITEMS.json"), "ZIP_INVALID", "items.json"),
    "local size differs": (local("items.json", size=5), "ZIP_INVALID", "items.json"),
    "local packed size differs": (local("items.json", packed=5), "ZIP_INVALID", "items.json"),
    "local method differs": (local("items.json", method=0), "ZIP_INVALID", "items.json"),
    "local CRC differs": (local("items.json", crc=0), "ZIP_INVALID", "items.json"),
    "local flags differ": (local("items.json", flags=8), "ZIP_INVALID", "items.json"),
    "local extra differs": (local("items.json", extra=padding_field(4)), "ZIP_INVALID", "items.json"),
    "another time": (other_time, "ZIP_INVALID", "items.json"),
    "leading data": (lambda e: build(e, before=b"#!/bin/sh\n"), "ZIP_INVALID", "manifest.json"),
    "trailing data": (lambda e: build(e, after=b"x"), "ZIP_INVALID", "zip"),
    "comment": (lambda e: build(e, comment=b"hello"), "ZIP_INVALID", "zip"),
    "bytes between entries": (change("items.json", gap=b"hidden"), "ZIP_INVALID", "items.json"),
    "bytes before the directory": (lambda e: build(e, between=b"hidden"), "ZIP_INVALID", "zip"),
    "zip behind a zip": (lambda e: build(e) + build(e), "ZIP_INVALID", "zip"),
    "truncated": (lambda e: build(e)[:-30], "ZIP_INVALID", "zip"),
    "end record only": (lambda e: build([])[:21], "ZIP_INVALID", "zip"),
    "more entries than rows": (lambda e: build(e, count=len(e) + 1), "ZIP_INVALID", "zip"),
    "fewer entries than rows": (lambda e: build(e, count=len(e) - 1), "ZIP_INVALID", "zip"),
    "endless entries": (lambda e: build(e, count=65_535), "ZIP_INVALID", "zip"),
    "several disks": (tail_edited(lambda f: f.__setitem__(1, 1)), "ZIP_INVALID", "zip"),
    "zip64": (tail_edited(lambda f: f.__setitem__(6, 0xFFFFFFFF)), "ZIP_INVALID", "zip"),
    "overlap": (overlapping, "ZIP_INVALID", "zip"),
    "nested": (nested, "ZIP_INVALID", "zip"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_zip_is_refused(signed, tmp_path, scratch, name):
    damage, code, word = BROKEN[name]
    (tmp_path / "b.zip").write_bytes(damage(entries_of(signed.folder / "pair.zip")))
    assert word in refusal(tmp_path / "b.zip", code)


def test_zips_of_other_tools_are_refused_with_what_to_do(signed, tmp_path, scratch):
    """They neither store models nor align them; some write folders."""
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((signed.folder / "pair").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(signed.folder / "pair"))
    assert "`pocketrec bundle --zip`" in refusal(tmp_path / "b.zip", "ZIP_INVALID")


def test_no_more_is_unpacked_than_was_declared(signed, tmp_path, scratch):
    """256 MiB in a quarter of a MiB, under a true-looking size: refused after as many bytes as the manifest allows."""
    entries = entries_of(signed.folder / "pair.zip")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join([deflate.compress(bytes(1 << 20)) for _ in range(256)]) + deflate.flush()
    (tmp_path / "b.zip").write_bytes(build(with_entry(entries, "items.json", packed=packed)))
    tracemalloc.start()
    try:
        refusal(tmp_path / "b.zip", "FILE_SIZE")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_signature_is_checked_before_anything_else_is_unpacked(signed, pair, tmp_path, scratch):
    reseal(pair)
    write_zip(pair, tmp_path / "b.zip")
    entries = entries_of(tmp_path / "b.zip")
    (tmp_path / "b.zip").write_bytes(build(with_entry(entries, "items.json", packed=b"\xff" * 99)))
    refusal(tmp_path / "b.zip", "SIGNATURE_MISSING", keys=[signed.key])
    refusal(tmp_path / "b.zip", "IO")


def test_what_was_unpacked_goes_when_the_block_ends_however_it_ends(signed, scratch):
    with open_bundle(signed.folder / "pair.zip") as bundle:
        assert bundle.folder.is_relative_to(scratch) and len(bundle.items) == bundle.manifest.sizes["items"]
    with pytest.raises(KeyError), open_bundle(signed.folder / "pair.zip"):
        raise KeyError
    assert not list(scratch.iterdir())
    bundle = open_bundle(signed.folder / "pair.zip")
    assert list(scratch.iterdir())
    bundle.close()


def test_no_room_to_unpack_is_one_line(signed, monkeypatch, scratch):
    def full(self, *arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with raises("IO") as refused, unpacked(signed.folder / "pair.zip"):
        pass
    assert "No space left on device" in str(refused.value)


def test_a_folder_is_used_where_it_lies(signed):
    with unpacked(signed.folder / "pair") as folder:
        assert folder == signed.folder / "pair"


def test_one_flipped_bit_of_a_zip_is_refused(signed, tmp_path, scratch):
    """Sampled; the property test does more. Bits that fill up the last byte of a deflated entry mean nothing: it is left out."""
    whole = (signed.folder / "pair.zip").read_bytes()
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(signed.folder / "pair.zip") as archive:
        entries = archive.infolist()
    ends = {e.header_offset + 30 + len(e.filename) + len(e.extra) + e.compress_size for e in entries}
    for position in range(0, len(whole), len(whole) // 60):
        if position + 1 in ends:
            continue
        path.write_bytes(whole)
        flip(path, position, position % 8)
        with pytest.raises((CheckFailed, InputError)):
            open_bundle(path, keys=[signed.key])


def test_a_zip_is_refused_by_the_command_in_one_line(signed, tmp_path, pocketrec):
    (tmp_path / "b.zip").write_bytes((signed.folder / "pair.zip").read_bytes()[:-1])
    line = refused(pocketrec("verify", tmp_path / "b.zip", env={"TMPDIR": str(tmp_path)}), code=1)
    assert "[ZIP_INVALID]" in line and os.listdir(tmp_path) == ["b.zip"]  # noqa: PTH208


def test_an_update_of_later_kits_may_say_more(pair, tmp_path):
    edit(pair, lambda m: m.update(mood="good"))
    write_zip(pair, tmp_path / "b.zip")
    verify_bundle(tmp_path / "b.zip")
