"""`pocketrec doctor`: what this machine can run."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, show_json
from ..options import Json

if TYPE_CHECKING:
    from ...core.records.doctor import Check


def doctor(
    as_json: Json = False,
    install: Annotated[
        str | None,
        typer.Option(
            help="Fetch what runs variants on emulated phone processors (`arm64`), in a browser (`wasm`), on a GPU in software "
            "(`gpu`) or in the library inside Android apps (`android`)."
        ),
    ] = None,
) -> None:
    """Say what this machine can run, and how to get the rest.

    \b
    Examples:
      pocketrec doctor
      pocketrec doctor --install arm64
      pocketrec doctor --install wasm
      pocketrec doctor --install gpu
      pocketrec doctor --install android
    """
    from ...api import environment

    if install is not None:
        return show(f"installed {install} in {environment.install(install)}")
    found = environment.doctor()
    if as_json:
        return show_json(found.to_json())
    return show(*map(_line, found.checks))


def _line(check: "Check") -> str:
    return f"{'ok     ' if check.ok else 'missing'} {check.name}: {check.add or check.found}"
