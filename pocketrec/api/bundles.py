"""Bundles: writing, verifying, updating, and recommending from them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ..core.queries.history_parsing import History
from ..core.run_dir import Run
from .arguments import StrPath, as_run, path_or_none, paths
from .rules import checked

if TYPE_CHECKING:
    from ..android_assets.format.manifest import Manifest
    from ..android_assets.reading.apk import NativeLibrary
    from ..android_assets.writing.options import BundleOptions, UpdateOptions
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


@checked
def bundle(
    run: StrPath | Run,
    out: StrPath | None = None,
    *,
    recipe: str | None = None,
    auto: bool = False,
    layout: str | None = None,
    runtimes: Iterable[str] = (),
    targets: Iterable[str] = (),
    sign: StrPath | None = None,
    zip: StrPath | None = None,
    version: int | None = None,
    catalogue_only: bool = False,
    base: StrPath | None = None,
    new_items: StrPath | None = None,
    keys: Iterable[StrPath] = (),
) -> Bundle:
    """Write the bundle that an app loads, or with `catalogue_only` an update of its catalogue without the model.

    Args:
        run: A run with a parity.json, or its directory.
        out: The directory to create; `run`/bundle, or `run`/update, when None.
        recipe: How the models' weights are stored (`pr.names("recipes")`); `dynamic_int8` when None.
        auto: Take the smallest variant of each graph that passed every gate, in place of `recipe`.
        layout: Which models the bundle holds (`pr.names("layouts")`); the first that was converted when None.
        runtimes: Where each model must have passed; the runtimes that apps ship when empty.
        targets: Processors where each model must have passed; the host when empty.
        sign: Ed25519 private key (PEM) to sign the manifest with.
        zip: Write the bundle as one zip too, models stored and aligned.
        version: Rises with every release; 1, or one more than the base's, when None.
        catalogue_only: Write an update of `base`.
        base: The `split` bundle that the update is for.
        new_items: For an update: CSV or Parquet of new items: id, title, genres.
        keys: For an update: Ed25519 public keys (PEM), one of which must have signed the base.

    Returns:
        The bundle, or the update.

    Raises:
        InputError: Arguments that are wrong or do not go together, or a stage that was not run.
        CheckFailed: A model missed a gate where it must pass, or does not answer as parity measured.
    """
    from ..android_assets.writing.options import BundleOptions, UpdateOptions

    opened, ran_on = as_run(run), tuple(runtimes)
    folder = Path(out) if out is not None else opened.root / ("update" if catalogue_only else "bundle")
    if base is not None:
        update = UpdateOptions(
            base=base, new_items=new_items, version=version, runtimes=ran_on, sign_key=sign, keys=paths(keys)
        )
        return _packed(path_or_none(zip), lambda: _update(opened, folder, update))
    models = partial(BundleOptions, recipe=recipe, auto=auto, layout=layout, runtimes=ran_on, targets=tuple(targets))
    options = models(sign_key=sign, version=1 if version is None else version)
    return _packed(path_or_none(zip), lambda: _whole(opened, folder, options))


def _update(run: Run, folder: Path, options: "UpdateOptions") -> Bundle:
    from ..android_assets.writing.update_writer import write_update

    written = write_update(run, folder, options)
    return Bundle(written.manifest, folder, notes=tuple(written.notes))


def _whole(run: Run, folder: Path, options: "BundleOptions") -> Bundle:
    from ..android_assets.writing.writer import write_bundle

    written = write_bundle(run, folder, options)
    notes = [f"passed over {v.graph} {v.recipe}, {v.size_bytes:,} bytes: {v.reason}" for v in written.passed_over]
    return Bundle(written.manifest, folder, notes=tuple(notes))


def _packed(file: Path | None, write: Callable[[], Bundle]) -> Bundle:
    """What `write` writes, and where `file` is given the same as one zip; nothing is written where `file` is there already."""
    from ..android_assets.writing.zip_writer import require_no_file, write_zip

    if file is None:
        return write()
    require_no_file(file)
    written = write()
    write_zip(written.path, file)
    return written


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


def update(
    bundle: StrPath,
    update: StrPath,
    *,
    keys: Iterable[StrPath] = (),
    allow_downgrade: bool = False,
) -> Bundle:
    """Bring a bundle up to date in place, whole or not at all.

    Args:
        bundle: A bundle's folder.
        update: What `bundle` wrote with `catalogue_only`, folder or zip.
        keys: Ed25519 public keys (PEM), one of which must have signed each of the two.
        allow_downgrade: Let the update have a lower version.

    Returns:
        The bundle as it is now.

    Raises:
        InputError: No such bundle or update, an unreadable key, or another update is under way.
        CheckFailed: The update does not fit, or is not what it says; the bundle is as it was.
    """
    from ..android_assets.reading.update_applier import apply_update

    trusted = tuple(paths(keys))
    done = apply_update(bundle, update, keys=trusted, allow_downgrade=allow_downgrade)
    return Bundle(done.manifest, Path(bundle), trusted, tuple(done.checks))


def keygen(out: StrPath) -> tuple[Path, str]:
    """Make an Ed25519 key to sign bundles with.

    Args:
        out: Private key to create (PEM, readable by you only); the public key is written beside it.

    Returns:
        The public key's path, and the key's id.

    Raises:
        InputError: A file is there already, or cannot be written.
    """
    from ..android_assets.format.signing import make_keys

    return make_keys(Path(out))


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
