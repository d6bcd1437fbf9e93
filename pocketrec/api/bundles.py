"""Bundles: opening them, verifying them, and recommending from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ..core.queries.history_parsing import History
from ..core.run_dir import Run
from .arguments import StrPath, paths
from .rules import checked

if TYPE_CHECKING:
    from ..android_assets.format.manifest import Manifest
    from ..android_assets.reading.apk import NativeLibrary
    from ..core.queries.recommendation import Answer


@dataclass(frozen=True)
class _WithManifest:
    """What a manifest describes."""

    manifest: "Manifest"

    @property
    def name(self) -> str:
        """The manifest's name."""
        return self.manifest.name

    @property
    def version(self) -> int:
        """The manifest's version; rises with every release."""
        return self.manifest.version


@dataclass(frozen=True)
class Bundle(_WithManifest):
    """What an app loads, a folder or a zip; or an update of its catalogue.

    Attributes:
        manifest: Its manifest.json.
        path: The folder or zip.
        keys: Ed25519 public keys that it was opened with, and is opened with again.
        notes: What was noticed while it was written, or checked while it was updated; one line each.
    """

    path: Path
    keys: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_files(self) -> int:
        """Files that the manifest declares and that are there: an update leaves some to its base."""
        names = {path.relative_to(self.path).as_posix() for path in self._files()} if self.path.is_dir() else None
        return sum(names is None or file.path in names for file in self.manifest.files)

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(path.stat().st_size for path in self._files())

    def _files(self) -> list[Path]:
        return [self.path] if self.path.is_file() else [path for path in self.path.rglob("*") if path.is_file()]

    def recommend(
        self,
        history: History = (),
        *,
        user: str | None = None,
        prefer: Iterable[str] = (),
        genres: Iterable[str] = (),
        top: int = 10,
        skip_unknown: bool = False,
        dislike: Iterable[str] = (),
        why: bool = False,
    ) -> "Answer":
        """Recommend as the phone would; see `pr.recommend`."""
        return recommend(
            self.path,
            user=user,
            history=history,
            prefer=prefer,
            genres=genres,
            top=top,
            skip_unknown=skip_unknown,
            dislike=dislike,
            why=why,
            keys=self.keys,
        )

    def verify(self) -> "Verification":
        """Check everything it promises; see `pr.verify`."""
        return verify(self.path, keys=self.keys)


@dataclass(frozen=True)
class Verification(_WithManifest):
    """A bundle, or an update, that is what it says it is.

    Attributes:
        manifest: Its manifest.json.
        checks: What was checked, one line each.
    """

    checks: tuple[str, ...]


@dataclass(frozen=True)
class ApkVerification:
    """An app whose native libraries load whatever the size of memory pages.

    Attributes:
        path: The APK.
        libraries: Its native libraries, by name; none in an app without any.
        checks: What was checked, one line each.
    """

    path: Path
    libraries: tuple["NativeLibrary", ...]
    checks: tuple[str, ...]


def open_bundle(path: StrPath, *, keys: Iterable[StrPath] = ()) -> Bundle:
    """Open a bundle: its signature, files, hashes, vocabularies and contract are checked, no model is executed.

    Args:
        path: A folder or a zip.
        keys: Ed25519 public keys (PEM); with any, a bundle signed by none of them is refused.

    Raises:
        InputError: No such bundle, or an unreadable key.
        CheckFailed: It is not what its manifest says.
    """
    from ..android_assets.reading.verify import open_bundle as opened_bundle

    trusted = tuple(paths(keys))
    with opened_bundle(path, keys=trusted) as opened:
        return Bundle(opened.manifest, Path(path), trusted)


@overload
def verify(
    where: StrPath,
    *,
    keys: Iterable[StrPath] = (),
    base: StrPath | None = None,
    allow_downgrade: bool = False,
    apk: None = None,
) -> Verification: ...
@overload
def verify(
    where: StrPath | None = None,
    *,
    keys: Iterable[StrPath] = (),
    base: StrPath | None = None,
    allow_downgrade: bool = False,
    apk: StrPath | None,
) -> Verification | ApkVerification: ...
@checked
def verify(
    where: StrPath | None = None,
    *,
    keys: Iterable[StrPath] = (),
    base: StrPath | None = None,
    allow_downgrade: bool = False,
    apk: StrPath | None = None,
) -> Verification | ApkVerification:
    """Hash every file of a bundle again, check that they fit together, and replay the golden vectors; or check an app's libraries.

    Args:
        where: A bundle, folder or zip; or, with `base`, an update.
        keys: Ed25519 public keys (PEM); with any, a bundle signed by none of them is refused.
        base: The bundle that an update is for.
        allow_downgrade: With `base`: let the update have a lower version.
        apk: In place of a bundle: an app's APK, whose native libraries have to load where memory pages have 16 KB.

    Returns:
        The manifest, and what was checked; for an app, its native libraries.

    Raises:
        InputError: No such bundle, an unreadable key, or a file that is no APK.
        CheckFailed: Anything is not as promised; the text says what.
    """
    if apk is not None:
        from ..android_assets.reading.apk import verify_apk

        libraries, checks = verify_apk(apk)
        return ApkVerification(Path(apk), tuple(libraries), tuple(checks))
    assert where is not None  # by the rules
    from ..android_assets.reading.update_applier import verify_update
    from ..android_assets.reading.verify import verify_bundle

    if base is not None:
        done = verify_update(where, base, keys=paths(keys), allow_downgrade=allow_downgrade)
    else:
        done = verify_bundle(where, keys=paths(keys))
    return Verification(done.manifest, tuple(done.checks))


@checked
def recommend(
    where: StrPath | Run | Bundle,
    *,
    user: str | None = None,
    history: History = (),
    prefer: Iterable[str] = (),
    genres: Iterable[str] = (),
    top: int = 10,
    skip_unknown: bool = False,
    dislike: Iterable[str] = (),
    why: bool = False,
    keys: Iterable[StrPath] = (),
) -> "Answer":
    """Recommend for a known user, or for a history and preferences; items of the history are left out.

    Args:
        where: A bundle (folder or zip), answered as the phone would, or a run, answered as the server would.
        user: A user id that the models know; with a run, the user's training history is the history.
        history: Items by title or id, oldest first: titles to ratings (None where there is none), or a list of `TITLE`,
            `TITLE=RATING` and (title, rating).
        prefer: Declared preferences, such as a genre.
        genres: Genres that the list is narrowed to; all when empty.
        top: How many items; at most what the bundle's models return.
        skip_unknown: Leave unknown titles out in place of refusing them.
        dislike: Items by title or id that are disliked. They are left out, and where the models take ratings so is what is alike.
        why: Say for each item what made up its score.
        keys: Ed25519 public keys (PEM), one of which must have signed the bundle.

    Returns:
        Items, best first, and what was noticed about the query.

    Raises:
        InputError: Neither bundle nor run, a query that cannot be understood, or `top` out of range.
        CheckFailed: The bundle is not what its manifest says, or a model does not run.
    """
    from ..android_assets.recommend import is_bundle, recommend_from_bundle
    from ..core.queries.recommendation import Request
    from ..core.run_dir import open_run

    asked = Request(user, history, list(prefer), list(genres), top, skip_unknown, list(dislike), why)
    place = where.root if isinstance(where, Run) else where.path if isinstance(where, Bundle) else Path(where)
    if is_bundle(place):
        return recommend_from_bundle(place, asked, keys=paths(keys))
    run = open_run(place)
    from ..train.server_recommender import recommend_from_run

    return recommend_from_run(run, asked)
