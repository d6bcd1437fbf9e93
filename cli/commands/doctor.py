"""`pocketrec doctor`: what this machine can run."""

from typing import Annotated

import typer

from ..console import show, show_json
from ..options import Json


def doctor(
    as_json: Json = False,
    install: Annotated[
        str | None,
        typer.Option(help="Fetch what runs variants on emulated phone processors (`arm64`) or in a browser (`wasm`)."),
    ] = None,
) -> None:
    """Say what this machine can run, and what is missing for the rest.

    \b
    Examples: pocketrec doctor
              pocketrec doctor --install arm64
              pocketrec doctor --install wasm
    """
    if install is not None:
        return show(_install(install))
    from ...runtimes.doctor import examine

    found = examine()
    if as_json:
        return show_json(found)
    return show(*(_line(check) for check in found["checks"]))


def _install(name: str) -> str:
    from ...core.errors import pick
    from ...runtimes import litert_js, qemu_arm64

    packs = {"arm64": ("ARM64 user space", qemu_arm64.install), "wasm": ("LiteRT.js", litert_js.install)}
    what, fetch = packs[pick("--install", name, packs)]
    return f"{what} in {fetch()}"


def _line(check: dict[str, object]) -> str:
    return f"{'ok     ' if check['ok'] else 'missing'} {check['name']}: {check['add'] or check['found']}"
