"""`pocketrec verify`: is a bundle, or an update, what it says it is?"""

from pathlib import Path
from typing import Annotated

import typer

from ..console import show
from ..options import AllowDowngrade, Keys
from ..rules import checked


@checked
def verify(
    where: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="A bundle, folder or zip; or an update.", show_default=False)
    ],
    keys: Keys = None,
    base: Annotated[Path | None, typer.Option(metavar="BUNDLE", help="The bundle that an update is for.")] = None,
    allow_downgrade: AllowDowngrade = False,
) -> None:
    """Hash every file of a bundle again, check that they fit together, replay the golden vectors; exit 1 on a difference.

    \b
    Examples: pocketrec verify bundle
              pocketrec verify bundle.zip --key key.pub.pem
              pocketrec verify update --base bundle --key key.pub.pem
    """
    from ...android_assets.reading.update_applier import verify_update
    from ...android_assets.reading.verify import verify_bundle

    if base is not None:
        manifest = verify_update(where, base, keys=keys or (), allow_downgrade=allow_downgrade, say=show)
        show(f"verified an update of {manifest['name']} to version {manifest['version']}")
    else:
        manifest = verify_bundle(where, keys=keys or (), say=show)
        show(f"verified {manifest['name']} version {manifest['version']}")
