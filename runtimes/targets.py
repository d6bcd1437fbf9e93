"""The processors a variant can be executed on."""

import sys
from dataclasses import dataclass, replace

from ..core.records.doctor import Check
from . import litert_js as browser
from . import qemu_arm64 as arm64
from . import swiftshader
from .adb import pack as adb


@dataclass(frozen=True, kw_only=True)
class Target:
    """A processor, real or emulated. Readers use these fields; the name of a target is never parsed.

    Attributes:
        summary: one line for people.
        platform: the kind of target, which decides what runs on it (`Runtime.platforms`).
        short_label: the target in narrow table headings.
        is_timed: whether times measured on it mean anything; emulators and headless browsers have none worth recording.
        cpu: QEMU's name of an emulated ARM64 processor; '' where none is emulated.
        features, part: what its /proc/cpuinfo says.
        accelerator: what a worker is told to run on beside the processor; '' for nothing.
        most_asked: how many held-out users are asked on it, spread evenly; 0 for all of them.
        serial: which phone it is; '' for the only one plugged in.
    """

    summary: str
    platform: str
    short_label: str
    is_timed: bool = False
    cpu: str = ""
    features: str = ""
    part: str = ""
    accelerator: str = ""
    most_asked: int = 0
    serial: str = ""

    @property
    def in_browser(self) -> bool:
        """Whether a browser's page runs on it."""
        return self.platform == "wasm"

    @property
    def is_phone(self) -> bool:
        """Whether it is a phone that adb reaches."""
        return self.platform == "adb"

    def missing(self) -> str:
        """Why it cannot be used here, with the command that adds it; '' when it can."""
        if self.is_phone:
            return adb.missing()
        if self.in_browser:
            driver = swiftshader.missing_in_chromium() if self.accelerator else ""
            return browser.missing_browser() or driver or browser.missing_packages()
        if self.accelerator:
            return swiftshader.missing()
        return arm64.missing() if self.cpu else ""

    def launch(self) -> tuple[list[str], dict[str, str] | None]:
        """Command prefix of a Python on this processor, and its environment; None where it is this process's own."""
        if not self.cpu:
            return [sys.executable], swiftshader.environment() if self.accelerator and not self.in_browser else None
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
# newer ones (decision 25).
_V9 = f"{_V82} i8mm bf16 sve sve2"


class _Targets(dict[str, Target]):
    """The table. A phone can be named by its serial number too, as `adb/SERIAL`; such names are there without being listed."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self._named(name) is not None)

    def __missing__(self, name: str) -> Target:
        if (phone := self._named(name)) is None:
            raise KeyError(name)
        return phone

    def _named(self, name: str) -> Target | None:
        kind, _, serial = name.partition("/")
        known = self.get(kind)
        return replace(known, serial=serial, short_label=name) if known and known.is_phone and serial else None


TARGETS = _Targets(
    {
        "host": Target(summary="this machine's own processor", platform="host", short_label="host", is_timed=True),
        "arm64/cortex-a53": Target(
            summary="phones without dot product instructions",
            platform="arm64",
            short_label="a53",
            cpu="cortex-a53",
            features=_V8,
            part="0xd03",
        ),
        "arm64/cortex-a76": Target(
            summary="phones with dot product and half precision",
            platform="arm64",
            short_label="a76",
            cpu="cortex-a76",
            features=_V82,
            part="0xd0b",
        ),
        "arm64/armv9": Target(
            summary="phones with int8 matrix products and scalable vectors",
            platform="arm64",
            short_label="armv9",
            cpu="max,sme=off",
            features=_V9,
            part="0xd0b",
        ),
        "wasm/chromium": Target(
            summary="web pages: WebAssembly in headless Chromium", platform="wasm", short_label="chromium"
        ),
        "wasm/chromium-webgpu": Target(
            summary="web pages: WebGPU in headless Chromium, its shaders executed by a Vulkan driver in software",
            platform="wasm",
            short_label="webgpu",
            accelerator="webgpu",
            most_asked=40,
        ),
        "gpu/swiftshader": Target(
            summary="LiteRT's GPU accelerator, its shaders executed by a Vulkan driver in software",
            platform="gpu",
            short_label="swiftshader",
            accelerator="gpu",
            # A call takes 10 to 200 ms there, and a graph 1 to 5 s to compile.
            most_asked=40,
        ),
        "adb": Target(
            summary="a phone plugged in, by adb; adb/SERIAL where there are several",
            platform="adb",
            short_label="adb",
            is_timed=True,
        ),
    }
)
# Where variants are executed unless a target is named.
DEFAULT_TARGETS = ("host",)
TIMED_TARGETS = tuple(name for name, target in TARGETS.items() if target.is_timed)


def short_label(target: str) -> str:
    """A target in narrow headings; one that this version of the kit does not know keeps its name."""
    return TARGETS[target].short_label if target in TARGETS else target


def check_target(name: str) -> Check:
    """What `doctor` says of a target."""
    target = TARGETS[name]
    reason = target.missing()
    found, _, command = reason.partition("; ")
    return Check(f"target: {name}", not reason, found or target.summary, command)
