"""`pocketrec keygen`: a key to sign bundles with."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import show


def keygen(
    out: Annotated[Path, typer.Option(metavar="KEY", help="Private key to create (PEM, readable by you only).")],
) -> None:
    """Make an Ed25519 key to sign bundles with.

    Its public key, for apps and for `verify --key`, is written beside it.

    \b
    Example:
      pocketrec keygen --out key.pem
    """
    from ...api.bundle_writing import keygen as make_key

    public_key, key_id = make_key(out)
    show(f"wrote {out}, which signs, and {public_key}, which checks: key {key_id}")
