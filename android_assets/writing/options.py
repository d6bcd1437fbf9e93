"""What a bundle or an update is to be."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...convert.quantize.recipes import RECIPES
from ...core.errors import InputError, pick
from ..format.manifest import MOST_VERSION
from ..format.signing import read_private_key

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class BundleOptions:
    """Options of a bundle.

    Attributes:
        recipe: a key of `RECIPES`; `dynamic_int8` when None and not `auto`.
        auto: take the smallest variant of each graph that passed every gate wherever it must.
        layout: a key of `LAYOUTS`; the first whose graphs were converted when None.
        runtimes, targets: where a variant must have passed; the runtimes that apps ship, on this machine, when empty.
        sign_key: Ed25519 private key (PEM) to sign the manifest with.
        version: whole number that rises with every release.
    """

    recipe: str | None = None
    auto: bool = False
    layout: str | None = None
    runtimes: Sequence[str] = ()
    targets: Sequence[str] = ()
    sign_key: StrPath | None = None
    version: int = 1

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            InputError: options that exclude each other, an unknown recipe, a version out of range, an unreadable key.
        """
        if self.recipe is not None and self.auto:
            raise InputError(
                "--recipe",
                expected="either --recipe or --auto",
                given="both",
                do="leave one out",
                code="OPTION_CONFLICT",
            )
        if self.recipe is not None:
            pick("--recipe", self.recipe, RECIPES)
        check_version(self.version)
        if self.sign_key is not None:
            read_private_key(Path(self.sign_key))


@dataclass(frozen=True, kw_only=True)
class UpdateOptions:
    """Options of an update.

    Attributes:
        base: the bundle it is for, folder or zip, of an updatable layout.
        new_items: a CSV or Parquet file of items that nobody has rated; None where the run's own catalogue has changed.
        version: the base's and one when None.
        sign_key: Ed25519 private key (PEM) to sign with.
        keys: trusted Ed25519 public keys (PEM); the base must be signed by one of them, where there are any.
        runtimes: where its lists are judged; the runtimes that apps ship when empty.
    """

    base: StrPath
    new_items: StrPath | None = None
    version: int | None = None
    sign_key: StrPath | None = None
    keys: Sequence[StrPath] = ()
    runtimes: Sequence[str] = ()


def check_version(version: int) -> None:
    """Refuse a version that is not a positive int32, which every client can hold.

    Raises:
        InputError: it is not.
    """
    if not 1 <= version <= MOST_VERSION:
        raise InputError(
            "--version",
            expected=f"1 or more, up to {MOST_VERSION}",
            given=version,
            do="choose another",
            code="VALUE_OUT_OF_RANGE",
        )
