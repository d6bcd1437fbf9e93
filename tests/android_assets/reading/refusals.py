"""Ways to damage a bundle, and how a refusal is checked for folder and zip alike."""

import os
import shutil
import socket

from pocketrec.android_assets.reading.verify import open_bundle, verify_bundle
from pocketrec.android_assets.writing.zip_writer import write_zip

from tests.android_assets.breaking import edit, edit_json, rehash, reseal
from tests.conftest import raises

RETRIEVER, RANKER = "models/retriever-dynamic_int8.tflite", "models/ranker-dynamic_int8.tflite"
# Codes of what only running a model, or reading golden.json, finds.
LATE = {"GOLDEN_INVALID", "GOLDEN_MISMATCH", "RUNTIME_FAILED"}


def refusal(where, code, **options):
    """The one line that a bundle is refused with, which has this code."""
    with raises(code) as caught:
        verify_bundle(where, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_as_folder_and_zip(folder, packed, code, word, **options):
    """Refused with a code and a line that holds `word`. What is found late is found in what a zip unpacks to: models run once."""
    line = refusal(folder, code, **options)
    assert word in line, line
    write_zip(folder, packed)
    if code not in LATE:
        assert word in refusal(packed, code, **options)
        return
    with open_bundle(packed, **options) as opened:
        for path in (path for path in folder.rglob("*") if path.is_file()):
            assert (opened.folder / path.relative_to(folder)).read_bytes() == path.read_bytes()


def exchange(folder, *names):
    a, b = (folder / name for name in names)
    data = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(data)


def exchange_models(folder):
    exchange(folder, RETRIEVER, RANKER)
    rehash(folder, RETRIEVER, RANKER)


def exchange_models_and_rows(folder):
    """With all that can be made to agree without a key: ports and rows as the files have them, and a new contract."""
    exchange(folder, RETRIEVER, RANKER)

    def change(manifest):
        first, second = manifest["models"]
        for key in ("inputs", "outputs", "rows", "min_runtime"):
            first[key], second[key] = second[key], first[key]

    edit(folder, change)
    reseal(folder)


def vocabulary(change, name="vocabularies/items.txt"):
    """A change of a vocabulary's lines, its hash made to agree."""

    def damage(folder):
        lines = (folder / name).read_text().split("\n")
        change(lines)
        (folder / name).write_text("\n".join(lines))
        rehash(folder, name)

    return damage


def swap_rows(folder):
    """Two items change places everywhere: a bundle that agrees with itself, but not with the tables inside its models."""

    def change(lines):
        lines[3], lines[4] = lines[4], lines[3]

    vocabulary(change)(folder)
    edit_json(folder, "items.json", change)
    reseal(folder)


def duplicate_row(folder):
    """A token twice, in items.json too."""

    def change(lines):
        lines[3] = lines[4]

    vocabulary(change)(folder)
    edit_json(folder, "items.json", change)
    reseal(folder)


def drop_row(folder):
    """One item less everywhere."""
    vocabulary(lambda lines: lines.pop(-2))(folder)
    edit_json(folder, "items.json", lambda items: items.pop())

    def change(manifest):
        row = next(row for row in manifest["vocabularies"] if row["name"] == "items")
        row.update(size=row["size"] - 1, oov_index=row["size"] - 1)

    edit(folder, change)
    reseal(folder)


def symlink(folder):
    shutil.move(folder / "golden.json", folder.parent / "elsewhere.json")
    (folder / "golden.json").symlink_to(folder.parent / "elsewhere.json")


def symlinked_folder(folder):
    shutil.move(folder / "models", folder.parent / "models")
    (folder / "models").symlink_to(folder.parent / "models")


def symlinked_manifest(folder):
    (folder / "manifest.json").rename(folder.parent / "m")
    (folder / "manifest.json").symlink_to(folder.parent / "m")


def open_socket(folder):
    with socket.socket(socket.AF_UNIX) as here:
        place = os.open(folder, os.O_RDONLY)
        here.bind(f"/proc/self/fd/{place}/plug")
        os.close(place)


def manifest(**fields):
    return lambda folder: edit(folder, lambda m: m.update(fields))


def manifest_text(old, new):
    def damage(folder):
        path = folder / "manifest.json"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return damage


def model_bytes(change, name=RANKER):
    """A model file changed, everything but its behaviour made to agree."""

    def damage(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        reseal(folder)

    return damage


def port_of(graph, side, name, **change):
    def damage(folder):
        def change_port(m):
            (found,) = [p for row in m["models"] if row["graph"] == graph for p in row[side] if p["name"] == name]
            found.update(change)

        edit(folder, change_port)

    return damage


def golden(change):
    """A change of golden.json, its hash made to agree."""
    return lambda folder: edit_json(folder, "golden.json", change)
