"""Updates on the side that receives them: merged with a bundle, checked as a whole, put in its place at once."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...core.atomic import atomic_dir
from ...core.directory_swap import remove_leftovers, sync, sync_tree
from ...core.errors import CheckFailed, InputError
from ..answering.bundle_inference import Loaded
from ..format.manifest import MANIFEST, MANIFEST_LIMIT, SIGNATURE, SIGNATURE_BYTES
from .unpack import read_plain, unpacked
from .update_compatibility import check_follows, require_split, taken_from_base
from .verify import open_bundle, opened_bundle, proven, trusted

Say = Callable[[str], None]


def verify_update(
    update: Path, base: Path, *, keys: Sequence[Path] = (), allow_downgrade: bool = False, say: Say = lambda text: None
) -> dict[str, Any]:
    """Check that an update may follow a bundle, and the bundle that both together make, its golden vectors included.

    Args:
        update: what `write_update` wrote, folder or zip.
        base: a bundle, folder or zip.
        keys: Ed25519 public keys (PEM), by one of which each of the two must be signed.
        say: called with a line on each check that held.

    Returns:
        The update's manifest.

    Raises:
        InputError: no such place, no update, or an unreadable key.
        CheckFailed: anything that is not as promised or does not fit, with the reason.
    """
    with TemporaryDirectory() as place:
        return merge(base, update, Path(place), keys=keys, allow_downgrade=allow_downgrade, say=say)


def apply_update(
    bundle: Path,
    update: Path,
    *,
    keys: Sequence[Path] = (),
    allow_downgrade: bool = False,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Bring a bundle up to date in place. Until everything is checked and on disk the old version stays; then both names are
    exchanged at once (`swap` says where that cannot be had), so that a process killed at any point leaves one of them whole.

    Returns:
        The new manifest.

    Raises:
        InputError: `bundle` is no directory, or is being updated; and as `verify_update`.
        CheckFailed: as `verify_update`.
    """
    if not bundle.is_dir():
        given = f"{bundle}, a file" if bundle.is_file() else f"{bundle} (no such directory)"
        raise InputError("BUNDLE", expected="a bundle directory", given=given, do="name one, or unpack it first")
    target = bundle.resolve()
    with _alone(target):
        remove_leftovers(target.parent)
        with atomic_dir(target) as folder:
            manifest = merge(target, update, folder, keys=keys, allow_downgrade=allow_downgrade, say=say)
            sync_tree(folder)
        sync(target.parent)
    return manifest


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep other updates of the same bundle out; a killed process lets them in again."""
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise InputError(
            "BUNDLE", expected="one update at a time", given=f"{target}, which is being updated", do="wait for it"
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def merge(
    base: Path, update: Path, folder: Path, *, keys: Sequence[Path] = (), allow_downgrade: bool = False,
    say: Say = lambda text: None,
) -> dict[str, Any]:  # fmt: skip
    """Put the bundle that an update makes of a base into an empty `folder`, and check it; see `verify_update`."""
    trust = lambda message, signature: trusted(message, signature, keys)  # noqa: E731
    with opened_bundle(base, keys=keys) as old, unpacked(update, trust) as shipped:
        require_split("the base", old.manifest)
        manifest = _read_update(shipped, keys)
        _copy_own(shipped, folder)
        _copy_taken(old, manifest, folder)
        new = Loaded(folder, open_bundle(folder, keys=keys))
        check_follows(old, new, allow_downgrade=allow_downgrade)
        n_new = len(new.items) - len(old.items)
        say(f"version {new.manifest['version']} may follow {old.manifest['version']}: same encoder, {n_new:+} items")
    return proven(new, keys, say)


def _read_update(update: Path, keys: Sequence[Path]) -> dict[str, Any]:
    """An update's manifest, signed by one of the keys where there are any.

    Raises:
        InputError: there is none, or it is a whole bundle's.
        CheckFailed: malformed, or not signed as it must be.
    """
    message = read_plain(update / MANIFEST, MANIFEST_LIMIT)
    if message is None:
        do = "write one with `pocketrec bundle RUN --catalogue-only --base BUNDLE --out UPDATE`"
        raise InputError("UPDATE", expected="an update", given=f"{update}, which has no {MANIFEST}", do=do)
    manifest = trusted(message, read_plain(update / SIGNATURE, SIGNATURE_BYTES), keys)
    if manifest["update"] is None:
        do = "verify it without --base, or install it"
        raise InputError("UPDATE", expected="an update", given="a whole bundle", do=do)
    return manifest


def _copy_own(update: Path, folder: Path) -> None:
    """Copy what an update ships.

    Raises:
        CheckFailed: a link or device among the files.
    """
    for path in sorted(update.rglob("*")):
        name = path.relative_to(update)
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise CheckFailed(f"{name.as_posix()}: a link or device, not a file")
        if path.is_file():
            _copy(path, folder / name)


def _copy_taken(base: Loaded, manifest: Mapping[str, Any], folder: Path) -> None:
    """Copy what an update takes from its base: the paths are the base's own, which were checked.

    Raises:
        CheckFailed: the base has no such file, or another one.
    """
    there = {row["path"]: row["sha256"] for row in base.manifest["files"]}
    wanted = {row["path"]: row["sha256"] for row in manifest["files"]}
    for path in taken_from_base(manifest):
        if there.get(path) != wanted[path]:
            what = "its query encoder is not the base's" if path.endswith(".tflite") else "it is for another base"
            state = "has another" if path in there else "lacks it"
            raise CheckFailed(f"update: {what}: it takes {path} from the base, which {state}")
        if not (folder / path).exists():
            _copy(base.folder / path, folder / path)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
