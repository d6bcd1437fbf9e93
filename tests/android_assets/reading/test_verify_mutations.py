"""Bundles mutated at random: none accepted, none crashes, nothing is written outside.

What must be refused: any change of the bytes of a signed bundle when its key is given; without a key, any change that leaves the
manifest as it was. Whoever has no key but seals everything anew may make another valid bundle, of which it only holds that
verifying it neither crashes nor writes anywhere.
"""

import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.core.errors import CheckFailed, InputError

from tests.android_assets.breaking import manifest_of, reseal

# 2,650 mutations, the same ones in every run; POCKETREC_TEST_MUTATIONS=N runs N times as many, and different ones.
TIMES = int(os.environ.get("POCKETREC_TEST_MUTATIONS", "0"))
CI = settings(
    derandomize=not TIMES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)


def mutations(n, examples=(), **strategies):
    """Two tests of a function that mutates a bundle: a fast one of a few mutations, and a full one of `n`."""

    def made(mutate):
        def test(number):
            drawn = given(**strategies)(mutate)
            for fixed in examples:
                drawn = fixed(drawn)
            return settings(CI, max_examples=number)(drawn)

        return test(max(6, n // 60)), pytest.mark.full(test(n * max(1, TIMES)))

    return made


# Where in a file, as a share of it, so that every example fits files of any length.
PLACE = st.floats(0, 1, exclude_max=True)
BYTES = st.binary(min_size=1, max_size=32)


def at(data, place):
    return min(int(place * len(data)), max(0, len(data) - 1))


def flipped(data, place, bit):
    changed = bytearray(data)
    if changed:
        changed[at(data, place)] ^= 1 << bit
    return bytes(changed)


# A change of bytes, as a function of them.
CHANGES = st.one_of(
    st.tuples(PLACE, st.integers(0, 7)).map(lambda a: lambda data: flipped(data, *a)),
    PLACE.map(lambda place: lambda data: data[: at(data, place)]),
    st.tuples(PLACE, BYTES).map(lambda a: lambda data: data[: at(data, a[0])] + a[1] + data[at(data, a[0]) :]),
    st.tuples(PLACE, BYTES).map(
        lambda a: lambda data: data[: at(data, a[0])] + a[1] + data[at(data, a[0]) + len(a[1]) :]
    ),
    st.tuples(PLACE, PLACE).map(lambda a: lambda data: data[: at(data, min(a))] + data[at(data, max(a)) :]),
    st.tuples(PLACE, PLACE).map(lambda a: lambda data: data + data[at(data, min(a)) : at(data, max(a))]),
    BYTES.map(lambda more: lambda data: data + more),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**64),
    st.floats(allow_nan=True),
    st.text(max_size=12),
    st.sampled_from(
        ["../x", "/etc/passwd", "manifest.json", "items", "models/", "\ud800", "x" * 4000, 1e308, -0.0, 2**31, 10**30]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def spots(document, path=()):
    """Every place in a JSON document; of long lists the first three and the last."""
    yield path
    if isinstance(document, dict):
        for key in document:
            yield from spots(document[key], (*path, key))
    elif isinstance(document, list):
        for number in sorted({*range(min(3, len(document))), *range(max(0, len(document) - 1), len(document))}):
            yield from spots(document[number], (*path, number))


def mutated(document, data):
    """A document with one place replaced, dropped, doubled, or exchanged with another."""
    document = json.loads(json.dumps(document))
    places = [path for path in spots(document) if path]
    *parents, key = data.draw(st.sampled_from(places))
    holder = document
    for step in parents:
        holder = holder[step]
    match data.draw(st.sampled_from(["replace", "drop", "double", "exchange"])):
        case "drop":
            del holder[key]
        case "double" if isinstance(holder, list):
            holder.append(holder[key])
        case "exchange" if len(holder) > 1:
            other = data.draw(
                st.sampled_from(sorted(holder, key=str) if isinstance(holder, dict) else range(len(holder)))
            )
            holder[key], holder[other] = holder[other], holder[key]
        case _:
            holder[key] = data.draw(VALUES)
    return document


def listing(folder):
    """Every path below a folder, and what changes when something is written there."""
    kinds = {path: path.lstat() for path in folder.rglob("*") if path.name != "tmp"}  # whose content is checked apart
    return {str(path): (kind.st_mode, kind.st_ino, kind.st_size, kind.st_mtime_ns) for path, kind in kinds.items()}


class Sandbox:
    """A place to verify mutated bundles in, watched."""

    def __init__(self, root, signed):
        self.root, self.signed, self.keys = root, signed, [signed.key]
        self.tmp = root / "tmp"
        self.tmp.mkdir()
        (root / "beside").mkdir()
        (root / "beside" / "precious").write_text("precious")

    @contextmanager
    def copy(self, layout):
        folder = self.root / "inside" / "bundle"
        shutil.copytree(self.signed.folder / layout, folder)
        try:
            yield folder
        finally:
            shutil.rmtree(self.root / "inside")

    @contextmanager
    def zipped(self, data):
        path = self.root / "inside" / "b.zip"
        path.parent.mkdir()
        path.write_bytes(data)
        try:
            yield path
        finally:
            shutil.rmtree(path.parent)

    def verdict(self, where, keys=(), *, open_only=False):
        """The code it was refused with, '' when it was not; anything but a refusal escapes, and nothing may have been written."""
        before, reason = listing(self.root), ""
        try:
            if open_only:
                open_bundle(where, keys=keys).close()
            else:
                verify_bundle(where, keys=keys)
        except (CheckFailed, InputError) as error:
            reason = error.code
            assert "\n" not in str(error)
        assert listing(self.root) == before and not list(self.tmp.iterdir())
        return reason


@pytest.fixture(scope="module")
def sandbox(signed, tmp_path_factory):
    root = tmp_path_factory.mktemp("sandbox")
    made, old = Sandbox(root, signed), (os.environ.get("TMPDIR"), tempfile.tempdir)
    os.environ["TMPDIR"], tempfile.tempdir = str(made.tmp), None
    yield made
    tempfile.tempdir = old[1]
    if old[0] is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = old[0]


def files_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def mutate_bytes_of_a_file_changed(sandbox, layout, change, data):
    with sandbox.copy(layout) as folder:
        name = data.draw(st.sampled_from(files_of(folder)))
        before = (folder / name).read_bytes()
        after = change(before)
        assume(after != before)
        (folder / name).write_bytes(after)
        assert sandbox.verdict(folder, sandbox.keys)
        if not name.startswith("manifest."):
            assert sandbox.verdict(folder)


test_few_bytes_of_a_file_changed, test_bytes_of_a_file_changed = mutations(
    600, layout=st.sampled_from(["pair", "split"]), change=CHANGES, data=st.data()
)(mutate_bytes_of_a_file_changed)


def mutate_files_moved_copied_removed_or_made_into_something_else(sandbox, layout, data):
    with sandbox.copy(layout) as folder:
        names = files_of(folder)
        one, other = data.draw(st.permutations(names))[:2]
        path, kind = (
            folder / one,
            data.draw(st.sampled_from(["swap", "rename", "remove", "copy", "link", "hard", "pipe", "folder"])),
        )
        new = folder / data.draw(
            st.text("abAB./-_é\u202e ", min_size=1, max_size=12).filter(lambda t: t.strip("./") and ".." not in t)
        )
        assume(not new.exists() and (kind not in ("rename", "copy") or new.parent == folder))
        if kind == "swap":
            a, b = path.read_bytes(), (folder / other).read_bytes()
            path.write_bytes(b), (folder / other).write_bytes(a)
        elif kind == "rename":
            path.rename(new)
        elif kind == "copy":
            shutil.copy(path, new)
        else:
            path.unlink()
            make = {
                "link": lambda: path.symlink_to(folder / other),
                "hard": lambda: path.hardlink_to(folder / other),
                "pipe": lambda: os.mkfifo(path),
                "folder": path.mkdir,
                "remove": lambda: None,
            }
            make[kind]()
        assert sandbox.verdict(folder, sandbox.keys)


(
    test_few_files_moved_copied_removed_or_made_into_something_else,
    test_files_moved_copied_removed_or_made_into_something_else,
) = mutations(200, layout=st.sampled_from(["pair", "split"]), data=st.data())(
    mutate_files_moved_copied_removed_or_made_into_something_else
)


def mutate_the_manifest_changed_in_one_place(sandbox, layout, data):
    """Readers meet unexpected types and values; the signature is wrong in any case."""
    with sandbox.copy(layout) as folder:
        before = manifest_of(folder)
        after = mutated(before, data)
        assume(json.dumps(after) != json.dumps(before))
        (folder / "manifest.json").write_text(json.dumps(after))
        assert sandbox.verdict(folder, sandbox.keys)
        sandbox.verdict(folder, open_only=True)


test_few_the_manifest_changed_in_one_place, test_the_manifest_changed_in_one_place = mutations(
    750, layout=st.sampled_from(["pair", "split", "cascade"]), data=st.data()
)(mutate_the_manifest_changed_in_one_place)


def mutate_a_document_changed_and_sealed_anew(sandbox, layout, name, data):
    """Everything agrees again but for what was changed; models may be run."""
    with sandbox.copy(layout) as folder:
        before = json.loads((folder / name).read_text())
        after = mutated(before, data)
        assume(json.dumps(after) != json.dumps(before))
        (folder / name).write_text(json.dumps(after))
        try:
            reseal(folder)
        except CheckFailed:
            assume(False)  # the kit itself does not seal such a thing
        assert sandbox.verdict(folder, sandbox.keys) == "SIGNATURE_MISSING"
        sandbox.verdict(folder)


test_few_a_document_changed_and_sealed_anew, test_a_document_changed_and_sealed_anew = mutations(
    60,
    layout=st.sampled_from(["pair", "split", "cascade"]),
    name=st.sampled_from(["golden.json", "items.json"]),
    data=st.data(),
)(mutate_a_document_changed_and_sealed_anew)


def mutate_bytes_changed_and_sealed_anew(sandbox, layout, change, data):
    """Parsers of models, vocabularies and candidates meet anything; what they let pass is not run here."""
    with sandbox.copy(layout) as folder:
        name = data.draw(
            st.sampled_from([row["path"] for row in manifest_of(folder)["files"] if row["role"] != "items"])
        )
        before = (folder / name).read_bytes()
        after = change(before)
        assume(after != before)
        (folder / name).write_bytes(after)
        reseal(folder)
        sandbox.verdict(folder, open_only=True)
        assert sandbox.verdict(folder, sandbox.keys) == "SIGNATURE_MISSING"


test_few_bytes_changed_and_sealed_anew, test_bytes_changed_and_sealed_anew = mutations(
    140, layout=st.sampled_from(["pair", "split"]), change=CHANGES, data=st.data()
)(mutate_bytes_changed_and_sealed_anew)


def mutate_bytes_of_a_zip_changed(sandbox, layout, change):
    before = (sandbox.signed.folder / f"{layout}.zip").read_bytes()
    after = change(before)
    assume(after != before)
    with sandbox.zipped(after) as path:
        assert sandbox.verdict(path, sandbox.keys) or unpacks_to_the_same(path, sandbox, layout)


test_few_bytes_of_a_zip_changed, test_bytes_of_a_zip_changed = mutations(
    600,
    [example(layout="pair", change=lambda data: data[:-22]), example(layout="pair", change=lambda data: data + data)],
    layout=st.sampled_from(["pair", "split"]),
    change=CHANGES,
)(mutate_bytes_of_a_zip_changed)


def mutate_headers_of_a_zip_changed(sandbox, layout, part, data):
    """Where random bytes of a whole file seldom fall."""
    before = (sandbox.signed.folder / f"{layout}.zip").read_bytes()
    heads = [found.start() for found in re.finditer(re.escape(part), before)]
    place = data.draw(st.sampled_from(heads)) + data.draw(st.integers(0, 60))
    width = data.draw(st.sampled_from([1, 2, 4]))
    value = data.draw(st.sampled_from([0, 1, 8, 0x7F, 0x80, 0xFF, 0xFFFF, 0xFFFFFFFF]) | st.integers(0, 2**32 - 1))
    after = before[:place] + value.to_bytes(4, "little")[:width] + before[place + width :]
    assume(after[: len(before)] != before and place < len(before))
    with sandbox.zipped(after) as path:
        assert sandbox.verdict(path, sandbox.keys) or unpacks_to_the_same(path, sandbox, layout)


test_few_headers_of_a_zip_changed, test_headers_of_a_zip_changed = mutations(
    300,
    layout=st.sampled_from(["pair", "split"]),
    part=st.sampled_from([b"PK\1\2", b"PK\3\4", b"PK\5\6"]),
    data=st.data(),
)(mutate_headers_of_a_zip_changed)


def unpacks_to_the_same(path, sandbox, layout):
    """The bits after the end of a deflated entry mean nothing to any reader; all that was signed is as it was."""
    with open_bundle(path, keys=sandbox.keys) as bundle:
        again = {name: (bundle.folder / name).read_bytes() for name in files_of(bundle.folder)}
    folder: Path = sandbox.signed.folder / layout
    return again == {name: (folder / name).read_bytes() for name in files_of(folder)}
