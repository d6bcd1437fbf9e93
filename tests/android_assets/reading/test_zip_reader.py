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
from pocketrec.android_assets.reading.verify import opened_bundle, verify_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip
from pocketrec.core.errors import CheckFailed, InputError

from tests.android_assets.breaking import Packed, build, edit, entries_of, flip, reseal, with_entry
from tests.conftest import refused

RETRIEVER, RANKER = "models/retriever-dynamic_int8.tflite", "models/ranker-dynamic_int8.tflite"


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
        verify_bundle(tmp_path / "b.zip", keys=[signed.key])


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
    "entry twice": (lambda e: build([*e, e[-1]]), "two entries are named 'vocabularies/preferences.txt'"),
    "manifest twice": (lambda e: build([*e, e[0]]), "two entries are named 'manifest.json'"),
    "no manifest": (lambda e: build(e[1:]), "manifest.json: missing from the zip"),
    "no entries": (lambda e: build([]), "manifest.json: missing from the zip"),
    "missing entry": (lambda e: build([x for x in e if x.name != "items.json"]), "items.json: missing"),
    "no signature": (lambda e: build([x for x in e if x.name != "manifest.sig"]), "manifest.sig is missing"),
    "extra entry": (extra("extra.bin"), "extra.bin: not declared in the manifest"),
    "renamed entry": (change("items.json", name="things.json"), "things.json: not declared"),
    "absolute path": (extra("/etc/cron.d/x"), "'/etc/cron.d/x' is not a plain relative path"),
    "path upwards": (extra("../x"), "'../x' is not a plain relative path"),
    "path upwards within": (extra("models/../../x"), "is not a plain relative path"),
    "path with backslashes": (extra("..\\x"), "is not a plain relative path"),
    "path with a zero": (extra("x\0y"), "is not a plain relative path"),
    "path that is no UTF-8": (extra("x", raw_name=b"\xff\xfe"), "is not a plain relative path"),
    "path without a name": (extra(""), "is not a plain relative path"),
    "path with an accent": (extra("ä.json"), "is not a plain relative path"),
    "case collision": (extra("ITEMS.json"), "items.json and ITEMS.json differ in case only"),
    "case collision of manifests": (extra("MANIFEST.json"), "lists MANIFEST.json among the files"),
    "file below a file": (extra("items.json/x"), "or are file and folder"),
    "symlink": (extra("link", b"/etc/passwd", mode=0o120777, method=0), "'link' is a link or device"),
    "symlink in a file's place": (change("items.json", mode=0o120777), "'items.json' is a link or device"),
    "device": (extra("null", mode=0o020666), "'null' is a link or device"),
    "pipe": (extra("pipe", mode=0o010644), "'pipe' is a link or device"),
    "folder": (extra("models/", b"", mode=0o040755), "'models/' is a folder"),
    "folder without saying so": (extra("models/", b""), "'models/' is a folder"),
    "mode": (change("items.json", mode=0o104755), "is not as this kit packs it"),
    "made elsewhere": (change("items.json", system=0), "is not as this kit packs it"),
    "encrypted": (change("items.json", flags=1), "'items.json' is encrypted"),
    "streamed": (change("items.json", flags=8), "'items.json' has flags 0x8"),
    "other method": (change("items.json", method=12), "compressed by method 12, expected stored or deflated"),
    "bomb": (bomb, "items.json: unpacks to more than the 127602 bytes"),
    "size declared too large": (change("items.json", size=1 << 30), "items.json: 1073741824 bytes, the manifest says 127602"),
    "size declared too small": (change("items.json", size=100), "items.json: 100 bytes, the manifest says 127602"),
    "manifest beyond its limit": (change("manifest.json", size=1 << 25), "manifest.json: larger than 16777216 bytes"),
    "manifest that is a bomb": (
        change("manifest.json", packed=deflated(bytes(1 << 25))),
        "manifest.json: unpacks to more than",
    ),
    "signature beyond its limit": (change("manifest.sig", size=65), "manifest.sig: larger than 64 bytes"),
    "shorter than it says": (change("items.json", packed=deflated(b"[]")), "items.json: unpacks to fewer"),
    "deflated data cut": (
        lambda e: build(with_entry(e, "items.json", packed=e[3].body()[:-9])),
        "items.json: its deflated data is truncated",
    ),
    "deflated data with a tail": (
        lambda e: build(with_entry(e, "items.json", packed=e[3].body() + b"more")),
        "items.json: data follows",
    ),
    "deflated data damaged": (change("items.json", packed=b"\xff" * 99), "items.json: damaged"),
    "another CRC": (
        lambda e: build(with_entry(e, "items.json", data=e[3].data[:-2] + b"!\n", packed=e[3].body())),
        "its CRC differs",
    ),
    "stored with two sizes": (change(RANKER, size=7), "is stored but has two sizes"),
    "model deflated": (change(RANKER, method=8), f"{RANKER}: compressed, so that an app could not map it"),
    "model not aligned": (change(RANKER, extra=b""), f"{RANKER}: at byte"),
    "extra field": (change("items.json", extra=struct.pack("<HHL", 0x7075, 4, 0)), "an extra field that is no padding"),
    "padding not of zeros": (change("items.json", extra=padding_field(8)[:-1] + b"x"), "an extra field that is no padding"),
    "local name differs": (local("items.json", name=b"ITEMS.json"), "local header of 'items.json' differs"),
    "local size differs": (local("items.json", size=5), "local header of 'items.json' differs"),
    "local packed size differs": (local("items.json", packed=5), "local header of 'items.json' differs"),
    "local method differs": (local("items.json", method=0), "local header of 'items.json' differs"),
    "local CRC differs": (local("items.json", crc=0), "local header of 'items.json' differs"),
    "local flags differ": (local("items.json", flags=8), "local header of 'items.json' differs"),
    "local extra differs": (local("items.json", extra=padding_field(4)), "local header of 'items.json' differs"),
    "another time": (other_time, "'items.json' has another time"),
    "leading data": (lambda e: build(e, before=b"#!/bin/sh\n"), "bytes between them at 'manifest.json'"),
    "trailing data": (lambda e: build(e, after=b"x"), "truncated, or data follows its end"),
    "comment": (lambda e: build(e, comment=b"hello"), "truncated, or data follows its end"),
    "bytes between entries": (change("items.json", gap=b"hidden"), "bytes between them at 'items.json'"),
    "bytes before the directory": (lambda e: build(e, between=b"hidden"), "bytes between the last entry and the directory"),
    "zip behind a zip": (lambda e: build(e) + build(e), "does not fit the file"),
    "truncated": (lambda e: build(e)[:-30], "truncated, or data follows its end"),
    "end record only": (lambda e: build([])[:21], "directory is damaged"),
    "more entries than rows": (lambda e: build(e, count=len(e) + 1), "directory is damaged"),
    "fewer entries than rows": (lambda e: build(e, count=len(e) - 1), "longer than its entries"),
    "endless entries": (lambda e: build(e, count=65_535), "65535 entries, expected at most 4098"),
    "several disks": (tail_edited(lambda f: f.__setitem__(1, 1)), "does not fit the file"),
    "zip64": (tail_edited(lambda f: f.__setitem__(6, 0xFFFFFFFF)), "does not fit the file"),
    "overlap": (overlapping, "entries overlap"),
    "nested": (nested, "entries overlap"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_zip_is_refused_with_its_reason(signed, tmp_path, scratch, name):
    damage, reason = BROKEN[name]
    (tmp_path / "b.zip").write_bytes(damage(entries_of(signed.folder / "pair.zip")))
    with pytest.raises(CheckFailed) as error:
        verify_bundle(tmp_path / "b.zip")
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_zips_of_other_tools_are_refused_with_what_to_do(signed, tmp_path, scratch):
    """They neither store models nor align them; some write folders."""
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((signed.folder / "pair").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(signed.folder / "pair"))
    with pytest.raises(CheckFailed, match="pack the bundle with `pocketrec bundle --zip`"):
        verify_bundle(tmp_path / "b.zip")


def test_no_more_is_unpacked_than_was_declared(signed, tmp_path, scratch):
    """A gigabyte in a megabyte, under a true-looking size: refused after as many bytes as the manifest allows."""
    entries = entries_of(signed.folder / "pair.zip")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join([deflate.compress(bytes(1 << 20)) for _ in range(1024)]) + deflate.flush()
    (tmp_path / "b.zip").write_bytes(build(with_entry(entries, "items.json", packed=packed)))
    tracemalloc.start()
    try:
        with pytest.raises(CheckFailed, match="unpacks to more than the 127602 bytes"):
            verify_bundle(tmp_path / "b.zip")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_signature_is_checked_before_anything_else_is_unpacked(signed, pair, tmp_path, scratch):
    reseal(pair)
    write_zip(pair, tmp_path / "b.zip")
    entries = entries_of(tmp_path / "b.zip")
    (tmp_path / "b.zip").write_bytes(build(with_entry(entries, "items.json", packed=b"\xff" * 99)))
    with pytest.raises(CheckFailed, match="not signed"):
        verify_bundle(tmp_path / "b.zip", keys=[signed.key])
    with pytest.raises(CheckFailed, match=r"items\.json: damaged"):
        verify_bundle(tmp_path / "b.zip")


def test_what_was_unpacked_goes_when_the_block_ends_however_it_ends(signed, scratch):
    with opened_bundle(signed.folder / "pair.zip") as loaded:
        assert loaded.folder.is_relative_to(scratch) and len(loaded.items) == 1682
    with pytest.raises(KeyError), opened_bundle(signed.folder / "pair.zip"):
        raise KeyError
    assert not list(scratch.iterdir())


def test_no_room_to_unpack_is_one_line(signed, monkeypatch, scratch):
    def full(self, *arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with (
        pytest.raises(InputError, match="expected room to unpack it, got No space left on device"),
        unpacked(signed.folder / "pair.zip"),
    ):
        pass


def test_a_folder_is_used_where_it_lies(signed):
    with unpacked(signed.folder / "pair") as folder:
        assert folder == signed.folder / "pair"


def test_one_flipped_bit_of_a_zip_is_refused(signed, tmp_path, scratch):
    """Sampled; the property test does more. Only the bits that fill up a deflated entry's last byte mean nothing."""
    whole = (signed.folder / "pair.zip").read_bytes()
    path = tmp_path / "b.zip"
    for position in range(0, len(whole), 997):
        path.write_bytes(whole)
        flip(path, position, position % 8)
        with pytest.raises((CheckFailed, InputError)):
            verify_bundle(path, keys=[signed.key])


def test_a_zip_is_refused_by_the_command_in_one_line(signed, tmp_path, pocketrec):
    (tmp_path / "b.zip").write_bytes((signed.folder / "pair.zip").read_bytes()[:-1])
    line = refused(pocketrec("verify", tmp_path / "b.zip", env={"TMPDIR": str(tmp_path)}), code=1)
    assert "zip: truncated" in line and os.listdir(tmp_path) == ["b.zip"]  # noqa: PTH208


def test_an_update_of_later_kits_may_say_more(pair, tmp_path):
    edit(pair, lambda m: m.update(mood="good"))
    write_zip(pair, tmp_path / "b.zip")
    verify_bundle(tmp_path / "b.zip")
