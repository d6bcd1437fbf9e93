"""Bundles and their updates, written and applied, and the keys that sign them."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.run_dir import Run
from .arguments import StrPath, as_run, path_or_none, paths
from .bundles import Bundle
from .rules import checked

if TYPE_CHECKING:
    from ..android_assets.writing.options import BundleOptions, UpdateOptions


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
