"""`pocketrec update`: a bundle brought up to date in place."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import show
from ..options import AllowDowngrade, Keys


def update(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder.", show_default=False)],
    update: Annotated[Path, typer.Argument(metavar="UPDATE", help="An update of it.", show_default=False)],
    keys: Keys = None,
    allow_downgrade: AllowDowngrade = False,
) -> None:
    """Bring a bundle up to date, whole or not at all.

    Exits 1, and leaves the bundle as it is, when the update does not fit.

    \b
    Example:
      pocketrec update bundle update --key key.pub.pem
    """
    from ...api.bundle_writing import update as apply_update

    updated = apply_update(bundle, update, keys=keys or (), allow_downgrade=allow_downgrade)
    show(*updated.notes)
    show(f"{bundle} is {updated.name} version {updated.version}")
