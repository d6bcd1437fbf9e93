"""`pocketrec verify`: is a bundle, or an update, what it says it is? Does an app with native libraries load everywhere?"""

from pathlib import Path
from typing import Annotated

import typer

from ...api.rules import checked
from ..console import show
from ..options import AllowDowngrade, Keys


@checked
def verify(
    where: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="A bundle, folder or zip; or an update.", show_default=False)
    ] = None,
    keys: Keys = None,
    base: Annotated[Path | None, typer.Option(metavar="BUNDLE", help="The bundle that an update is for.")] = None,
    allow_downgrade: AllowDowngrade = False,
    apk: Annotated[Path | None, typer.Option(metavar="FILE", help="An app: check its native libraries.")] = None,
) -> None:
    """Check that a bundle is what its manifest says.

    Every file is hashed again, the files must fit together, and the golden vectors are replayed. Exits 1 on a difference.
    With --apk, exits 1 unless every native library loads where memory pages have 16 KB.

    \b
    Examples:
      pocketrec verify bundle
      pocketrec verify bundle.zip --key key.pub.pem
      pocketrec verify update --base bundle --key key.pub.pem
      pocketrec verify --apk app.apk
    """
    from ...api.bundles import ApkVerification
    from ...api.bundles import verify as verify_bundle

    verified = verify_bundle(where, keys=keys or (), base=base, allow_downgrade=allow_downgrade, apk=apk)
    show(*verified.checks)
    if isinstance(verified, ApkVerification):
        show(f"verified {apk}")
        return
    what = f"an update of {verified.name} to" if base is not None else verified.name
    show(f"verified {what} version {verified.version}")
