"""A phone that variants were executed on, and the state it was in."""

from dataclasses import dataclass, field
from typing import Annotated

from .record import Doc, Record


@dataclass(frozen=True)
class PhoneFacts(Record):
    """A phone, as it describes itself; without its serial number, unless the target names it."""

    target: Annotated[str, Doc("the target that stands for it, such as `adb`")]
    model: Annotated[str, Doc("maker and model")]
    chip: Annotated[str, Doc("maker and name of the processor; '' where it does not say")]
    android: Annotated[str, Doc("version of Android")]
    sdk: Annotated[int, Doc("its API level")]
    abi: Annotated[str, Doc("kind of processor that programs were built for")]
    cpus: Annotated[int, Doc("processors")]
    allowed_cpus: Annotated[
        str, Doc("those that a program started by adb may use, as `/proc` lists them; '' where unknown")
    ]
    cpuset: Annotated[str, Doc("the group of processors such a program is in; '' where unknown")]
    governor: Annotated[str, Doc("frequency governor of the first processor; '' where unknown")] = ""


@dataclass(frozen=True)
class PhoneState(Record):
    """What changes while a phone works."""

    thermal_status: Annotated[
        int | None, Doc("Android's own: 0 none, 1 light, 2 moderate, 3 severe and more; null where it does not say")
    ] = None
    celsius: Annotated[dict[str, float], Doc("temperature by sensor; empty where none can be read", "°C")] = field(
        default_factory=dict
    )
    battery_percent: Annotated[int | None, Doc("charge", "%")] = None
    battery_celsius: Annotated[float | None, Doc("temperature of the battery", "°C")] = None
    is_powered: Annotated[bool | None, Doc("whether it is plugged in to power")] = None


@dataclass(frozen=True)
class PhoneConditions(Record):
    """The state of a phone while it was measured."""

    phone: PhoneFacts
    before: PhoneState
    after: PhoneState
    warnings: Annotated[list[str], Doc("what makes its times doubtful, such as heat")] = field(default_factory=list)
