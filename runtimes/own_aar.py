"""An app's own AAR as a runtime, for as long as a call runs."""

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..core.errors import pick
from ..core.files.hashing import sha256_file
from .android.aar import prepare
from .runtimes import RUNTIMES, AndroidRuntime
from .targets import TARGETS

_HASH_DIGITS = 8


@contextlib.contextmanager
def aar_runtime(aar: Path | None, targets: Iterable[str] = ()) -> Iterator[list[str]]:
    """Put the TFLite library of an AAR into the table of runtimes while the block runs.

    Args:
        aar: the archive; None for none.
        targets: keys of `TARGETS` that it is to run on; `host` when empty.

    Yields:
        The runtime's name, made of the file's and of its hash, in a list; an empty one without an archive.

    Raises:
        InputError: an unknown target, no AAR, one without a library for any of the targets or without TFLite's C API, or no
            compiler.
    """
    if aar is None:
        yield []
        return
    places = [pick("--target", name, TARGETS) for name in targets] or ["host"]
    with tempfile.TemporaryDirectory(prefix="pocketrec-aar-") as scratch:
        folder = Path(scratch)
        platforms = prepare(aar, folder, what="--aar", platforms={TARGETS[name].platform for name in places})
        digits = sha256_file(aar)[:_HASH_DIGITS]
        name = f"{re.sub(r'[^A-Za-z0-9._-]', '_', aar.stem)}-{digits}"
        RUNTIMES[name] = AndroidRuntime(
            family=aar.stem,
            version=digits,
            short_label="aar",
            summary="the TFLite library of an app's own AAR",
            package=aar.name,
            platforms=tuple(platforms),
            chooses_delegate=False,
            folder=folder,
        )
        try:
            yield [name]
        finally:
            del RUNTIMES[name]
