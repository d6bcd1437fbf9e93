"""What a phone says of itself: what it is, how warm it is, how full its battery."""

import re

from ...core.errors import InputError
from ...core.records.phone import PhoneFacts, PhoneState
from .client import WHAT

ABI = "arm64-v8a"
# Android 7, the first whose adb tells exit statuses and standard error apart.
OLDEST_SDK = 24
# A rise of the warmest sensor that is told, where Android does not rate its own state.
WARM_RISE_C = 5.0
_PROPERTIES = {
    "maker": "ro.product.manufacturer",
    "model": "ro.product.model",
    "chip_maker": "ro.soc.manufacturer",
    "chip": "ro.soc.model",
    "android": "ro.build.version.release",
    "sdk": "ro.build.version.sdk",
    "abis": "ro.product.cpu.abilist",
}
# Prints `key=value` lines.
FACTS = "; ".join(
    [
        *(f'echo "{key}=$(getprop {name})"' for key, name in _PROPERTIES.items()),
        'echo "cpus=$(grep -c ^processor /proc/cpuinfo)"',
        'echo "allowed=$(grep Cpus_allowed_list /proc/self/status)"',
        'echo "cpuset=$(cat /proc/self/cpuset 2>/dev/null)"',
        'echo "governor=$(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null)"',
    ]
)
_MARK = "pocketrec-part"
# Three texts: the thermal service's, the kernel's zones, the battery service's.
STATE = (
    f"dumpsys thermalservice 2>/dev/null; echo {_MARK}; "
    'for zone in /sys/class/thermal/thermal_zone*; do echo "$(cat $zone/type 2>/dev/null) $(cat $zone/temp 2>/dev/null)"; done; '
    f"echo {_MARK}; dumpsys battery 2>/dev/null; true"
)


def read_facts(text: str, target: str) -> PhoneFacts:
    """What `FACTS` printed.

    Raises:
        InputError: a device that no variant can be executed on.
    """
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    said = {key: value.strip() for key, value in pairs}
    name = " ".join(filter(None, (said.get("maker"), said.get("model")))) or "a device"
    if ABI not in said.get("abis", "").split(","):
        raise _unsupported(f"a phone that runs {ABI}", f"{name} with {said.get('abis') or 'no list of ABIs'}")
    sdk = int(said["sdk"]) if said.get("sdk", "").isdigit() else 0
    if sdk < OLDEST_SDK:
        raise _unsupported(f"Android 7 (API level {OLDEST_SDK}) or newer", f"{name} with API level {sdk}")
    return PhoneFacts(
        target=target,
        model=name,
        chip=" ".join(filter(None, (said.get("chip_maker"), said.get("chip")))),
        android=said.get("android", ""),
        sdk=sdk,
        abi=ABI,
        cpus=int(said["cpus"]) if said.get("cpus", "").isdigit() else 1,
        allowed_cpus=said.get("allowed", "").rpartition(":")[2].strip(),
        cpuset=said.get("cpuset", ""),
        governor=said.get("governor", ""),
    )


def _unsupported(expected: str, given: str) -> InputError:
    return InputError(WHAT, expected=expected, given=given, do="use another phone", code="DEVICE_UNSUPPORTED")


def read_state(text: str) -> PhoneState:
    """What `STATE` printed: temperatures of the thermal service, or, where it gives none, of the kernel's zones."""
    thermal, zones, battery = [*text.split(_MARK), "", ""][:3]
    status = re.search(r"Thermal Status: (\d+)", thermal)
    current = thermal.partition("Current temperatures from HAL:")[2].partition("Current cooling")[0] or thermal
    readings = re.findall(r"Temperature\{mValue=([-\d.]+), mType=-?\d+, mName=([^,]+),", current)
    celsius = {name: float(value) for value, name in readings}
    if not celsius:
        celsius = {name: _degrees(int(value)) for name, value in re.findall(r"^(\S+) (-?\d+)$", zones, re.MULTILINE)}
    fields = dict(re.findall(r"^\s*([\w ]+): (\S+)\s*$", battery, re.MULTILINE))
    level, tenths = fields.get("level", ""), fields.get("temperature", "")
    power = [value == "true" for name, value in fields.items() if name.endswith("powered")]
    return PhoneState(
        thermal_status=int(status[1]) if status else None,
        celsius=celsius,
        battery_percent=int(level) if level.isdigit() else None,
        battery_celsius=int(tenths) / 10 if tenths.isdigit() else None,
        is_powered=any(power) if power else None,
    )


def _degrees(value: int) -> float:
    """A zone's reading; kernels give thousandths of a degree, some drivers whole ones."""
    return value / 1000 if abs(value) >= 1000 else float(value)


def heat(before: PhoneState, after: PhoneState) -> list[str]:
    """What is to be said of a phone that got warm, one clause each."""
    found = []
    worst = max(before.thermal_status or 0, after.thermal_status or 0)
    if worst:
        found.append(f"Android rated the phone's heat {worst} (0 is none): it may have been slowed down")
    shared = before.celsius.keys() & after.celsius.keys()
    rises = {name: after.celsius[name] - before.celsius[name] for name in shared}
    warmest = max(rises, key=lambda name: rises[name], default=None)
    if warmest is not None and rises[warmest] >= WARM_RISE_C:
        found.append(f"{warmest} warmed from {before.celsius[warmest]:.0f} to {after.celsius[warmest]:.0f} °C")
    return found
