"""Updates on the receiving side: merged with a bundle, checked as a whole, put in its place at once."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ...core.errors import CheckFailed, InputError
from ...core.files.atomic import atomic_dir
from ...core.files.directory_swap import remove_leftovers, sync, sync_tree
from ..answering.bundle import Bundle
from ..format.manifest import MANIFEST, MANIFEST_LIMIT, SIGNATURE, SIGNATURE_BYTES, Manifest
from .file_checks import read_plain, undeclared
from .unpack import unpacked
from .update_compatibility import check_follows, incompatible, require_updatable
from .verify import StrPath, Verification, open_bundle, open_folder, replayed, trusted


def verify_update(
    update: StrPath, base: StrPath, *, keys: Sequence[StrPath] = (), allow_downgrade: bool = False
) -> Verification:
    """Check that an update may follow a bundle, and the bundle that both together make, its golden vectors included.

    Args:
        update: what `write_update` wrote, folder or zip.
        base: a bundle, folder or zip.
        keys: trusted Ed25519 public keys (PEM); each of the two must be signed by one of them.
        allow_downgrade: accept a lower version than the base's.

    Returns:
        The update's manifest, and the checks that passed.

    Raises:
        InputError: no such place, no update, or an unreadable key.
        CheckFailed: anything that is not as promised or does not fit, with the reason.
    """
    with TemporaryDirectory() as place:
        return merge(Path(base), Path(update), Path(place), keys=keys, allow_downgrade=allow_downgrade)


def apply_update(
    bundle: StrPath, update: StrPath, *, keys: Sequence[StrPath] = (), allow_downgrade: bool = False
) -> Verification:
    """Bring a bundle up to date in place.

    Until everything is checked and on disk the old version stays; then both names are exchanged at once (see `swap`), so that a
    process killed at any point leaves one of them whole.

    Returns:
        The new manifest, and the checks that passed.

    Raises:
        InputError: `bundle` is not a directory, or is being updated; and as `verify_update`.
        CheckFailed: as `verify_update`.
    """
    path = Path(bundle)
    if not path.is_dir():
        given = f"{path}, a file" if path.is_file() else f"{path} (no such directory)"
        raise InputError(
            "BUNDLE",
            expected="a bundle directory",
            given=given,
            do="name one, or unpack it first",
            code="INPUT_UNREADABLE" if path.is_file() else "INPUT_MISSING",
        )
    target = path.resolve()
    with _locked(target):
        remove_leftovers(target.parent)
        with atomic_dir(target) as folder:
            done = merge(target, Path(update), folder, keys=keys, allow_downgrade=allow_downgrade)
            sync_tree(folder)
        sync(target.parent)
    return done


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Exclude other updates of the same bundle; the lock ends with the process."""
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise InputError(
            "BUNDLE",
            expected="one update at a time",
            given=f"{target}, which is being updated",
            do="wait for it",
            code="INPUT_CHANGED",
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def merge(
    base: Path, update: Path, folder: Path, *, keys: Sequence[StrPath] = (), allow_downgrade: bool = False
) -> Verification:
    """Put the bundle that an update makes of a base into an empty `folder`, and check it; see `verify_update`."""
    with (
        open_bundle(base, keys=keys) as old,
        unpacked(update, lambda message, signature: trusted(message, signature, keys)) as shipped,
    ):
        require_updatable("the base", old.manifest)
        manifest = _read_update(shipped, keys)
        _copy_shipped(shipped, folder)
        _copy_from_base(old, manifest, folder)
        new = Bundle(folder, open_folder(folder, keys))
        check_follows(old, new, allow_downgrade=allow_downgrade)
        n_new = len(new.items) - len(old.items)
        follows = f"version {new.manifest.version} may follow {old.manifest.version}: same encoder, {n_new:+} items"
    try:
        done = replayed(new, keys)
    except CheckFailed as error:
        code = "UPDATE_UNFAITHFUL" if error.code == "GOLDEN_MISMATCH" else error.code
        raise CheckFailed(str(error), code=code) from error
    return Verification(done.manifest, [follows, *done.checks])


def _read_update(update: Path, keys: Sequence[StrPath]) -> Manifest:
    """An update's manifest, signed by one of the keys where there are any.

    Raises:
        InputError: there is none, or it is that of a whole bundle.
        CheckFailed: malformed, or not signed as it must be.
    """
    message = read_plain(update / MANIFEST, MANIFEST_LIMIT)
    if message is None:
        do = "write one with `pocketrec bundle RUN --catalogue-only --base BUNDLE --out UPDATE`"
        given = f"{update}, which has no {MANIFEST}"
        raise InputError("UPDATE", expected="an update", given=given, do=do, code="MANIFEST_MISSING")
    manifest = trusted(message, read_plain(update / SIGNATURE, SIGNATURE_BYTES), keys)
    if manifest.update is None:
        do = "verify it without --base, or install it"
        raise InputError("UPDATE", expected="an update", given="a whole bundle", do=do, code="UPDATE_INCOMPATIBLE")
    return manifest


def _copy_shipped(update: Path, folder: Path) -> None:
    """Copy what an update ships.

    Raises:
        CheckFailed: a link or device among the files.
    """
    for path in sorted(update.rglob("*")):
        name = path.relative_to(update)
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise undeclared(name.as_posix(), "a link or device, not a file")
        if path.is_file():
            _copy(path, folder / name)


def _copy_from_base(base: Bundle, manifest: Manifest, folder: Path) -> None:
    """Copy what an update takes from its base: the paths are the base's own, which were checked.

    Raises:
        CheckFailed: the base has no such file, or another one.
    """
    available, wanted = base.manifest.digests, manifest.digests
    for path in manifest.from_base:
        if available.get(path) != wanted[path]:
            what = "its query encoder is not the base's" if path.endswith(".tflite") else "it is for another base"
            state = "has another" if path in available else "lacks it"
            raise incompatible(f"{what}: it takes {path} from the base, which {state}")
        if not (folder / path).exists():
            _copy(base.folder / path, folder / path)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
