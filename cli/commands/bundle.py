"""`pocketrec bundle`: what an app loads, or an update of its catalogue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, working
from ..options import Keys, RunArgument, Verbose
from ..rules import checked

if TYPE_CHECKING:
    from ...android_assets.writing.update_writer import UpdateWish
    from ...android_assets.writing.writer import Wish


@checked
def bundle(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="Directory to create. Default: RUN/bundle.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Recipe to bundle. Default: dynamic_int8.")] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="The smallest variant of each graph that passed every gate.")
    ] = False,
    layout: Annotated[
        str | None,
        typer.Option(
            help="cascade (one model), pair (retriever, ranker) or split (encoder, catalogue apart). "
            "Default: the first converted."
        ),
    ] = None,
    runtimes: Annotated[
        list[str] | None,
        typer.Option(
            "--runtime", help="Runtime it must have passed on; may be repeated. Default: those that apps ship."
        ),
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option("--target", help="Processor it must have passed on; may be repeated. Default: host."),
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Ed25519 private key (PEM) to sign the manifest with.")
    ] = None,
    zip: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as one zip too, models stored and aligned.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="Version, a whole number that rises. Default: 1, or one more than the base's.")
    ] = None,
    catalogue_only: Annotated[
        bool, typer.Option("--catalogue-only", help="Write an update of --base: items and vectors without the model.")
    ] = False,
    base: Annotated[Path | None, typer.Option(metavar="BUNDLE", help="The split bundle that an update is for.")] = None,
    new_items: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV or Parquet of new items: id, title, genres.")
    ] = None,
    keys: Keys = None,
    verbose: Verbose = False,
) -> None:
    """Write the bundle an app loads, or an update of its catalogue: models, vocabularies, titles, golden vectors, manifest.

    \b
    Examples: pocketrec bundle run --out bundle --recipe dynamic_int8
              pocketrec bundle run --out bundle --auto --target arm64/cortex-a53 --sign key.pem --zip bundle.zip
              pocketrec bundle run --catalogue-only --base bundle --new-items new.csv --out update
    """
    from ...android_assets.writing.update_writer import UpdateWish
    from ...android_assets.writing.writer import Wish
    from ...android_assets.writing.zip_writer import require_no_file

    folder = out or run / ("update" if catalogue_only else "bundle")
    if zip is not None:
        require_no_file(zip)
    if base is not None:
        _update(run, folder, UpdateWish(base, new_items, version, sign, keys or (), runtimes or ()), zip, verbose)
    else:
        version = 1 if version is None else version
        _bundle(run, folder, Wish(recipe, auto, layout, runtimes or (), targets or (), sign, version), zip, verbose)
    if zip is not None:
        show(f"wrote {zip}, {zip.stat().st_size:,} bytes")


def _bundle(run: Path, folder: Path, wish: "Wish", zip: Path | None, verbose: bool) -> None:
    from ...android_assets.writing.writer import write_bundle
    from ...android_assets.writing.zip_writer import write_zip
    from ...core.run_dir import open_run

    with working(verbose):
        manifest, refused = write_bundle(open_run(run), folder, wish)
        if zip is not None:
            write_zip(folder, zip)
    for row in refused:
        show(f"passed over {row['graph']} {row['recipe']}, {row['size_bytes']:,} bytes: {row['reason']}")
    models = ", ".join(f"{model['graph']} {model['recipe']}" for model in manifest["models"])
    signed = f", signed by key {manifest['key_id']}" if manifest["key_id"] else ""
    show(f"bundled {models}: {len(manifest['files'])} files, {_size_of(folder):,} bytes in {folder}{signed}")


def _update(run: Path, folder: Path, wish: "UpdateWish", zip: Path | None, verbose: bool) -> None:
    from ...android_assets.writing.update_writer import write_update
    from ...android_assets.writing.zip_writer import write_zip
    from ...core.run_dir import open_run

    notes: list[str] = []
    with working(verbose):
        manifest, shipped = write_update(open_run(run), folder, wish, notes.append)
        if zip is not None:
            write_zip(folder, zip)
    signed = f", signed by key {manifest['key_id']}" if manifest["key_id"] else ""
    versions = f"version {manifest['update']['base_version']} to {manifest['version']}"
    show(*(f"note: {note}" for note in notes))
    show(f"wrote an update from {versions}: {len(shipped)} files, {_size_of(folder):,} bytes in {folder}{signed}")


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
