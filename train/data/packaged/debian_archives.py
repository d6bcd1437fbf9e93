"""Reading one file of a Debian package: an `ar` archive with a compressed tar of the files (deb(5)). No dpkg is needed."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

_MAGIC, _HEADER = b"!<arch>\n", 60


def read_member(package: Path, member: str) -> bytes:
    """The file at `member`, such as `./usr/share/doc/weka/copyright`.

    Raises:
        KeyError: there is no such file.
        ValueError: this is no Debian package.
    """
    for name, content in _ar_members(package.read_bytes()):
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                file = archive.extractfile(member)
                if file is None:
                    raise KeyError(member)
                return file.read()
    raise ValueError(f"{package} has no data.tar")


def _ar_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member: a header of 60 bytes with the name first and the size at 48, padded to even length."""
    if not content.startswith(_MAGIC):
        raise ValueError("not an ar archive")
    at = len(_MAGIC)
    while at + _HEADER <= len(content):
        name, size = content[at : at + 16].decode().strip().rstrip("/"), int(content[at + 48 : at + 58])
        at += _HEADER
        yield name, content[at : at + size]
        at += size + size % 2
