"""`pocketrec bundle`: what an app loads, or an update of its catalogue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...api.rules import checked
from ..console import show, working
from ..options import Keys, RunArgument, Verbose, named

if TYPE_CHECKING:
    from ...api.bundles import Bundle

Layout = Annotated[
    str | None, named("layouts", help="Which models it holds: {layouts}. Default: the first that was converted.")
]
RuntimesPassed = Annotated[
    list[str] | None,
    named(
        "runtimes", "--runtime", help="Runtime it must have passed on; may be repeated. Default: those that apps ship."
    ),
]
TargetsPassed = Annotated[
    list[str] | None,
    named("targets", "--target", help="Processor it must have passed on; may be repeated. Default: host."),
]


@checked
def bundle(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="Directory to create. Default: RUN/bundle.")] = None,
    recipe: Annotated[str | None, named("recipes", help="Recipe to bundle. Default: {recipe}.")] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="The smallest variant of each graph that passed every gate.")
    ] = False,
    layout: Layout = None,
    runtimes: RuntimesPassed = None,
    targets: TargetsPassed = None,
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
    """Write the bundle that an app loads, or an update of it.

    A bundle holds models, vocabularies, titles, golden vectors and a manifest; an update new items, without the model.

    \b
    Examples:
      pocketrec bundle run --out bundle --recipe dynamic_int8
      pocketrec bundle run --auto --target arm64/cortex-a53 --zip bundle.zip
      pocketrec bundle run --catalogue-only --base bundle --new-items new.csv
    """
    from ...api.bundle_writing import bundle as write_bundle

    with working(verbose):
        written = write_bundle(
            run,
            out,
            recipe=recipe,
            auto=auto,
            layout=layout,
            runtimes=runtimes or (),
            targets=targets or (),
            sign=sign,
            zip=zip,
            version=version,
            catalogue_only=catalogue_only,
            base=base,
            new_items=new_items,
            keys=keys or (),
        )
    show_bundle(written, zip)


def show_bundle(bundle: "Bundle", zip: Path | None = None) -> None:
    """What is in the bundle, or in the update, and the zip of it."""
    manifest = bundle.manifest
    signed = f", signed by key {manifest.key_id}" if manifest.key_id else ""
    show(*(f"note: {note}" for note in bundle.notes))
    if manifest.update is None:
        content = "bundled " + ", ".join(f"{model.graph} {model.recipe}" for model in manifest.models)
    else:
        content = f"wrote an update from version {manifest.update.base_version} to {manifest.version}"
    show(f"{content}: {bundle.n_files} files, {bundle.size_bytes:,} bytes in {bundle.path}{signed}")
    if zip is not None:
        show(f"wrote {zip}, {zip.stat().st_size:,} bytes")
