"""`verify --apk`: native libraries that do not load where pages have 16 KB, and files that are no APK."""

import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import pytest
from pocketrec.android_assets.format.elf import read_elf
from pocketrec.android_assets.reading.apk import verify_apk
from pocketrec.runtimes.android import aar, pack

import pocketrec as pr
from tests.conftest import raises, refused
from tests.runtimes.android.archives import needs_android, needs_gcc

PAGE = 16_384
WIDE, NARROW = "lib/arm64-v8a/libx.so", "lib/armeabi-v7a/libx.so"
LOAD, DYNAMIC = 1, 2


def elf64(*segments, order=1):
    """A 64-bit ELF file of nothing but segments: (type, offset, address, alignment)."""
    head = b"\x7fELF" + bytes([2, order, 1]) + bytes(9)
    head += struct.pack("<HHLQQQLHHHHHH", 3, 183, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    rows = [struct.pack("<LLQQQQQQ", kind, 5, at, to, to, 8, 8, align) for kind, at, to, align in segments]
    return head + b"".join(rows)


def elf32(*segments):
    """A 32-bit one."""
    head = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    head += struct.pack("<HHLLLLLHHHHHH", 3, 40, 1, 0, 52, 0, 0, 52, 32, len(segments), 0, 0, 0)
    rows = [struct.pack("<LLLLLLLL", kind, at, to, to, 8, 8, 5, align) for kind, at, to, align in segments]
    return head + b"".join(rows)


GOOD = elf64((DYNAMIC, 0, 0, 8), (LOAD, 0, 0, PAGE), (LOAD, 0x8010, 0x1C010, PAGE))
GOOD_NARROW = elf32((LOAD, 0, 0, 4096), (LOAD, 0x1010, 0x3010, 4096))


def apk(path, libraries, *, start=PAGE, packed=(), manifest="AndroidManifest.xml"):
    """An APK whose stored libraries begin `start` bytes, and more multiples of 16,384, from the file's beginning."""
    with zipfile.ZipFile(path, "w") as archive:
        if manifest:
            archive.writestr(manifest, b"\3\0\x08\0")
        for name, data in libraries.items():
            entry = zipfile.ZipInfo(name)
            if name in packed:
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
                continue
            assert archive.fp is not None
            behind = archive.fp.tell() + 30 + len(name) + 4
            entry.extra = struct.pack("<HH", 0xD935, (start - behind) % PAGE) + bytes((start - behind) % PAGE)
            archive.writestr(entry, data)
    return path


def test_libraries_that_load_everywhere_pass(inside, tmp_path):
    app = apk(tmp_path / "a.apk", {WIDE: GOOD, "lib/x86_64/libx.so": GOOD, NARROW: GOOD_NARROW})
    done = inside("verify", "--apk", app)
    assert (done.code, done.err) == (0, "")
    assert "64-bit processors: 2, aligned to 16,384" in done.out
    assert "32-bit processors: 1, aligned to 4,096" in done.out
    found = pr.verify(apk=app).libraries
    assert [(library.name, library.bits, library.alignment) for library in found] == [
        (WIDE, 64, PAGE),
        (NARROW, 32, 4096),
        ("lib/x86_64/libx.so", 64, PAGE),
    ]
    assert all(library.start and library.start % PAGE == 0 for library in found)


def test_an_app_without_libraries_passes_and_that_is_said(inside, tmp_path):
    done = inside("verify", "--apk", apk(tmp_path / "a.apk", {"assets/x.so": b"not a library"}))
    assert done.code == 0 and "no native library" in done.out


# Each: an APK that must be refused, by what is in it and how it lies there.
UNALIGNED = {
    "4 KB segments": ({WIDE: elf64((LOAD, 0, 0, 4096))}, {}),
    "one segment of 4 KB": ({WIDE: elf64((LOAD, 0, 0, PAGE), (LOAD, PAGE, PAGE, 4096))}, {}),
    "no alignment": ({WIDE: elf64((LOAD, 0, 0, 0))}, {}),
    "alignment that is no multiple": ({WIDE: elf64((LOAD, 0, 0, 24_576))}, {}),
    "places that differ": ({WIDE: elf64((LOAD, 0, 0, PAGE), (LOAD, 0x4000, 0x5000, PAGE))}, {}),
    "a place in the zip": ({WIDE: GOOD}, {"start": PAGE + 4096}),
    "32 bits, 1 KB segments": ({NARROW: elf32((LOAD, 0, 0, 1024))}, {}),
    "32 bits, a place in the zip": ({NARROW: GOOD_NARROW}, {"start": PAGE + 4}),
    "compressed": ({WIDE: elf64((LOAD, 0, 0, 4096))}, {"packed": (WIDE,)}),
    "in the assets": ({"assets/x.so": elf64((LOAD, 0, 0, 4096))}, {}),
}


@pytest.mark.parametrize("case", UNALIGNED)
def test_what_does_not_load_on_large_pages_is_named(inside, tmp_path, case):
    libraries, how = UNALIGNED[case]
    line = refused(inside("verify", "--apk", apk(tmp_path / "a.apk", libraries, **how)), 1)
    assert line.endswith("[LIBRARY_UNALIGNED]") and next(iter(libraries)) in line


def test_only_those_that_do_not_load_are_named(tmp_path):
    with raises("LIBRARY_UNALIGNED") as caught:
        verify_apk(apk(tmp_path / "a.apk", {WIDE: GOOD, "lib/x86_64/liby.so": elf64((LOAD, 0, 0, 4096))}))
    assert "liby.so" in str(caught.value) and WIDE not in str(caught.value)


def test_a_name_cannot_write_to_the_terminal(inside, tmp_path):
    line = refused(inside("verify", "--apk", apk(tmp_path / "a.apk", {"lib/x/\x1b[31m.so": b""})))
    assert "\x1b" not in line and r"\x1b[31m" in line


# Where the place in the zip means nothing: the installer, or the app, writes the library out first.
@pytest.mark.parametrize(("name", "packed"), [(WIDE, True), ("assets/x.so", False)])
def test_a_library_that_is_not_mapped_from_the_apk_may_lie_anywhere(tmp_path, name, packed):
    app = apk(tmp_path / "a.apk", {name: GOOD}, start=PAGE + 12, packed=(name,) if packed else ())
    (library,), _ = verify_apk(app)
    assert library.start is None


def build(folder, *options):
    (folder / "x.c").write_text("int table[9000] = {1}; int f(void) { return table[1]++; }")
    made = folder / "libx.so"
    subprocess.run(["gcc", "-shared", "-fPIC", *options, "-o", made, folder / "x.c"], check=True)
    return made


@needs_gcc
@pytest.mark.parametrize(("size", "fits"), [("0x1000", False), ("0x4000", True), ("0x10000", True)])
def test_a_library_of_a_real_linker_is_read_as_readelf_reads_it(tmp_path, size, fits):
    made = build(tmp_path, f"-Wl,-z,max-page-size={size}")
    shown = subprocess.run(["readelf", "--wide", "--segments", made], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^  LOAD +0x(\w+) 0x(\w+) .* 0x(\w+)$", shown, re.MULTILINE)
    found = read_elf(made.read_bytes()).segments
    assert [(one.offset, one.address, one.alignment) for one in found] == [
        tuple(int(value, 16) for value in row) for row in rows
    ]
    assert len(found) > 1 and all(segment.fits(PAGE) for segment in found) == fits


@needs_android
def test_the_libraries_of_maven_central_are_refused(tmp_path):
    """Both versions have 4 KB segments; should that change, docs/android.md says something false."""
    for version in pack.AARS:
        where = pack.folder() / version
        names = {f"lib/{abi.name}/libtensorflowlite_jni.so": where / abi.name / aar.LIBRARY for abi in aar.ABIS}
        with raises("LIBRARY_UNALIGNED") as caught:
            verify_apk(apk(tmp_path / f"{version}.apk", {name: path.read_bytes() for name, path in names.items()}))
        assert all(name in str(caught.value) for name in names)


NOT_LIBRARIES = {
    "text": b"hello",
    "empty": b"",
    "header cut off": GOOD[:40],
    "segments cut off": GOOD[:100],
    "another byte order": elf64((LOAD, 0, 0, PAGE), order=2),
    "no such class": b"\x7fELF\x07" + GOOD[5:],
    "nothing to load": elf64((DYNAMIC, 0, 0, 8)),
}


@pytest.mark.parametrize("case", NOT_LIBRARIES)
def test_a_library_that_is_none_is_one_line(inside, tmp_path, case):
    line = refused(inside("verify", "--apk", apk(tmp_path / "a.apk", {WIDE: NOT_LIBRARIES[case]})))
    assert line.endswith("[INPUT_INVALID]") and WIDE in line


def test_what_is_no_apk_is_one_line(inside, tmp_path):
    whole = apk(tmp_path / "whole.apk", {WIDE: GOOD}).read_bytes()
    (tmp_path / "text.apk").write_text("hello")
    (tmp_path / "cut.apk").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "damaged.apk").write_bytes(whole.replace(b"PK\3\4", b"PK\3\5"))
    apk(tmp_path / "plain.zip", {WIDE: GOOD}, manifest="")
    for name, code in {
        "gone.apk": "INPUT_MISSING",
        ".": "INPUT_UNREADABLE",
        "text.apk": "INPUT_UNREADABLE",
        "cut.apk": "INPUT_UNREADABLE",
        "damaged.apk": "INPUT_UNREADABLE",
        "plain.zip": "INPUT_INVALID",
    }.items():
        assert refused(inside("verify", "--apk", tmp_path / name)).endswith(f"[{code}]"), name


def test_a_library_whose_bytes_are_damaged_or_encrypted_is_one_line(inside, tmp_path):
    app = apk(tmp_path / "a.apk", {WIDE: GOOD})
    touched = bytearray(app.read_bytes())
    touched[touched.index(GOOD) + len(GOOD) - 1] ^= 1
    app.write_bytes(touched)
    assert refused(inside("verify", "--apk", app)).endswith("[INPUT_UNREADABLE]")
    locked = bytearray(apk(app, {WIDE: GOOD}).read_bytes())
    locked[locked.rindex(b"PK\1\2") + 8] |= 1
    app.write_bytes(locked)
    assert refused(inside("verify", "--apk", app)).endswith("[INPUT_UNREADABLE]")


def test_a_large_library_is_not_unpacked_whole(tmp_path):
    """A kilobyte of a zip may become a gigabyte: only the beginning of each library is read."""
    app = apk(tmp_path / "a.apk", {WIDE: GOOD + bytes(64 << 20)}, packed=(WIDE,))
    tracemalloc.start()
    try:
        verify_apk(app)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_neither_tensorflow_nor_a_runtime_is_imported(tmp_path):
    app = apk(tmp_path / "a.apk", {WIDE: GOOD})
    program = (
        "import sys; import pocketrec; pocketrec.verify(apk=sys.argv[1]); "
        "print(sorted({'tensorflow', 'ai_edge_litert', 'tflite_runtime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, app], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
