"""Bionic's libraries, made of glibc's: with them a desktop's Linux runs a library or a program of Android as it is.

Made with a C compiler for what is to run together, from its own list of what it wants. What glibc has under the same name is
forwarded; bionic.c is the rest. A name that neither has ends the process when it is called, with a line that says which.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("bionic.c")
# All forwards are in the first; the loader wants the others by name only.
_LIBC = "libc.so"
# Jumps to glibc's function, or, where there is none, to `lacking` with its name.
_FORWARD = {
    "x86_64": "movq {name}@GOTPCREL(%rip), %r11\ntestq %r11, %r11\nje 1f\njmp *%r11\n1: leaq 2f(%rip), %rdi\njmp lacking",
    "aarch64": "adrp x16, :got:{name}\nldr x16, [x16, :got_lo12:{name}]\ncbz x16, 1f\nbr x16\n1: adr x0, 2f\nb lacking",
}
_LACKING = {"x86_64": "leaq 2f(%rip), %rdi\njmp lacking", "aarch64": "adr x0, 2f\nb lacking"}


class BuildFailed(Exception):
    """What the compiler or readelf said."""


@dataclass(frozen=True)
class Symbol:
    """A row of a library's dynamic symbol table.

    Attributes:
        version: of the library it is wanted from, such as LIBC; '' without one.
        is_wanted: whether another library has to define it.
        is_function: false for data.
    """

    name: str
    version: str
    is_wanted: bool
    is_function: bool


def symbols_of(library: Path) -> list[Symbol]:
    """What a shared library defines and what it wants; what it can do without is left out."""
    found = []
    for line in _run("readelf", "--wide", "--dyn-syms", str(library)).splitlines():
        fields = line.split()
        if len(fields) < 8 or fields[4] != "GLOBAL":
            continue
        name, _, version = fields[7].partition("@")
        found.append(Symbol(name, version.lstrip("@"), fields[6] == "UND", fields[3] != "OBJECT"))
    return found


def build(*binaries: Path, folder: Path, compiler: str, machine: str) -> None:
    """Make the libraries that libraries or programs of Android need, in `folder`.

    Args:
        compiler: a GCC for their processor.
        machine: the processor, `x86_64` or `aarch64`.

    Raises:
        BuildFailed: the compiler fails, or one of them wants data of bionic that is not known.
    """
    own = set(re.findall(r"EXPORT\((\w+)\);|^\w+ (__android_\w+)\(", _SOURCE.read_text(), re.MULTILINE))
    known = {name for pair in own for name in pair if name}
    found = [symbol for binary in binaries for symbol in symbols_of(binary) if symbol.is_wanted]
    wanted = list({symbol.name: symbol for symbol in found}.values())
    unknown = [symbol for symbol in wanted if symbol.name not in known]
    if data := [symbol.name for symbol in unknown if not symbol.is_function]:
        raise BuildFailed(f"it wants {', '.join(data)} of bionic, which the kit does not have")
    forwards, empty, versions = (folder / name for name in ("forwards.s", "empty.c", "versions"))
    forwards.write_text("\n".join([".text", *(_forward(symbol, machine) for symbol in unknown), _NO_EXECUTABLE_STACK]))
    empty.touch()
    names = sorted({symbol.version for symbol in wanted} - {"", "LIBC"})
    versions.write_text("\n".join([_FIRST_VERSION, "LIBC { };", *(f"{name} {{ }} LIBC;" for name in names), ""]))
    said = _run("readelf", "--wide", "--dynamic", *map(str, binaries))
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", said)
    for name in {_LIBC, *needed}:
        parts = [_SOURCE, forwards] if name == _LIBC else [empty]
        options = ["-O1", "-fPIC", "-fno-builtin", "-shared", f"-Wl,--version-script={versions}", f"-Wl,-soname={name}"]
        libraries = ["-Wl,--no-as-needed", "-lm", "-ldl", "-lpthread"] if name == _LIBC else []
        _run(compiler, *options, "-o", str(folder / name), *map(str, parts), *libraries)
    for path in (forwards, empty, versions):
        path.unlink()


# A name that glibc lacks would be found in the first version of the library that forwards it: in itself.
_FIRST_VERSION = "POCKETREC { };"
_NO_EXECUTABLE_STACK = '.section .note.GNU-stack,"",%progbits\n'


def _forward(symbol: Symbol, machine: str) -> str:
    """Assembly of a function that bionic has; one without a version is in none of glibc's libraries."""
    name = symbol.name
    head = (
        f".weak {name}\n.symver b_{name},{name}@{symbol.version}"
        if symbol.version
        else f".globl {name}\n.set {name},b_{name}"
    )
    jump = (_FORWARD if symbol.version else _LACKING)[machine].format(name=name)
    return f'.globl b_{name}\n.type b_{name},%function\n{head}\nb_{name}:\n{jump}\n2: .asciz "{name}"\n.balign 4'


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BuildFailed(f"{Path(command[0]).name}: {said}")
    return done.stdout
