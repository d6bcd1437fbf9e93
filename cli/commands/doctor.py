"""`pocketrec doctor`: what this machine can run."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..console import show, show_json
from ..options import Json

if TYPE_CHECKING:
    from ...core.records.doctor import Check
from ...api.rules import checked


@checked
def doctor(
    serial: Annotated[
        str | None, typer.Argument(metavar="SERIAL", help="With --device: which phone.", show_default=False)
    ] = None,
    as_json: Json = False,
    install: Annotated[
        str | None,
        typer.Option(
            help="Fetch what runs variants on emulated phone processors (`arm64`), in a browser (`wasm`), on a GPU in software "
            "(`gpu`), in the library inside Android apps (`android`) or on a phone that is plugged in (`adb`)."
        ),
    ] = None,
    device: Annotated[bool, typer.Option("--device", help="Try a phone that is plugged in, step by step.")] = False,
) -> None:
    """Say what this machine can run, and how to get the rest.

    With --device, what a phone can run. Exits 1 when a step fails.

    \b
    Examples:
      pocketrec doctor
      pocketrec doctor --install arm64
      pocketrec doctor --install wasm
      pocketrec doctor --install gpu
      pocketrec doctor --install android
      pocketrec doctor --install adb
      pocketrec doctor --device
    """
    from ...api import environment

    if install is not None:
        return show(f"installed {install} in {environment.install(install)}")
    found = environment.doctor(device=device, serial=serial)
    if as_json:
        show_json(found.to_json())
    else:
        show(*map(_step if device else _line, found.checks))
    if device and not found.ok:
        raise typer.Exit(1)
    return None


def _step(check: "Check") -> str:
    advice = f"; {check.add}" if check.add else ""
    return f"{'ok    ' if check.ok else 'failed'} {check.name.removeprefix('device: ')}: {check.found}{advice}"


def _line(check: "Check") -> str:
    return f"{'ok     ' if check.ok else 'missing'} {check.name}: {check.add or check.found}"
