"""The processors a variant can be executed on."""

import sys
from dataclasses import dataclass
from typing import Any

from . import litert_js as browser
from . import qemu_arm64 as arm64


@dataclass(frozen=True)
class Target:
    """A processor, real or emulated.

    Attributes:
        summary: one line for people.
        timed: whether its time means anything.
        cpu: QEMU's name of an emulated ARM64 processor; '' for this machine's own.
        features, part: what its /proc/cpuinfo says.
        in_browser: whether it is a browser's WebAssembly.
    """

    summary: str
    timed: bool
    cpu: str = ""
    features: str = ""
    part: str = ""
    in_browser: bool = False

    def missing(self) -> str:
        """Why it cannot be used here, with the command that adds it; '' when it can."""
        if self.in_browser:
            return browser.missing_browser() or browser.missing_packages()
        return arm64.missing() if self.cpu else ""

    def launch(self) -> tuple[list[str], dict[str, str] | None]:
        """Command prefix of a Python on this processor, and its environment; None where it is this process's own."""
        if not self.cpu:
            return [sys.executable], None
        return arm64.launch(self.cpu, _CPUINFO.format(features=self.features, part=self.part))


_CPUINFO = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: 1

"""
_V8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_V82 = f"{_V8} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
# What phones of 2022 and later add that changes kernels: int8 matrix products, bfloat16, scalable vectors. Without SME, whose int8
# outer products QEMU 7.2 (Debian 12's) computes wrongly; and as a Cortex-A76 by part, since LiteRT crashes under QEMU when told of
# newer ones (DECISIONS).
_V9 = f"{_V82} i8mm bf16 sve sve2"

TARGETS = {
    "host": Target("this machine's own processor", timed=True),
    "arm64/cortex-a53": Target("phones without dot product instructions", False, "cortex-a53", _V8, "0xd03"),
    "arm64/cortex-a76": Target("phones with dot product and half precision", False, "cortex-a76", _V82, "0xd0b"),
    "arm64/armv9": Target("phones with int8 matrix products and scalable vectors", False, "max,sme=off", _V9, "0xd0b"),
    "wasm/chromium": Target("web pages: WebAssembly in headless Chromium", False, in_browser=True),
}


def as_row(name: str) -> dict[str, Any]:
    """A target for `doctor`."""
    target = TARGETS[name]
    reason = target.missing()
    found, _, command = reason.partition("; ")
    return {"name": f"target: {name}", "ok": not reason, "found": found or target.summary, "add": command}
