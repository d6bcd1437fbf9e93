"""What native libraries write to a worker's stderr: why a process failed, and what an accelerator left on the CPU."""

import re

from ..core.records.parity import Acceleration

# Progress, warnings, places in sources and stacks: what LiteRT, Abseil and glog write around a reason.
_NOISE = (
    "W0000",
    "I0000",
    "INFO:",
    "WARNING:",
    "Warning:",
    "***",
    "@ ",
    "===",
    "└ Could not load shared library",
    "third_party/",
)
_MOST = 400
# Abseil's prefix: severity, time, thread, file and line.
_PREFIX = re.compile(r"^[EF]\d{4} [\d:.]+ +\d+ (?=\S+:\d+\])")
# An accelerator says why it gives up.
_COMPLAINT = re.compile(r"^(?:[EF]\d{4} [\d:.]+ +\d+ |ERROR: \[)\w*(?:delegate|gpu)\w*\.cc:")
_SPLIT = re.compile(r"^(\d+) operations will run on the GPU, and the remaining (\d+) operations will run on the CPU")
# An operator, and why it is left.
_LEFT = re.compile(r"^([A-Z][A-Z0-9_]+): ?(.*)$")
# The number of the node, which ends some reasons.
_NODE = re.compile(r"(?<=\.) \d+$")
_REFUSED_LATER = re.compile(r"^E\d{4} .*gpu_model_builder\.cc:\d+\] (.*)$")


def failure(code: int, log: str) -> str:
    """Why a process failed: its exit status (negative: the signal) and what its stderr tells.

    That is the last two telling lines; where an accelerator failed, its own first complaint, and the last line.
    """
    lines = [line.strip() for line in log.splitlines()]
    lines = [line for line in lines if line and not line.startswith(_NOISE) and not _SPLIT.match(line)]
    complaints = [line for line in lines if _COMPLAINT.match(line) and not _REFUSED_LATER.match(line)]
    told = dict.fromkeys([complaints[0], lines[-1]] if complaints else lines[-2:])
    said, how = (
        " | ".join(_PREFIX.sub("", line) for line in told),
        f"signal {-code}" if code < 0 else f"exit status {code}",
    )
    if len(said) > _MOST:
        said = _PREFIX.sub("", lines[-1])[:_MOST]
    return f"{how}: {said}" if said else how


def acceleration(log: str, *, is_whole: bool) -> Acceleration:
    """What LiteRT's GPU accelerator took of a graph, in its own words.

    Args:
        log: the worker's stderr.
        is_whole: whether the compiled model called itself fully accelerated.
    """
    taken, left, reasons, listing = None, 0 if is_whole else None, [], False
    for line in map(str.strip, log.splitlines()):
        if found := _SPLIT.match(line):
            taken, left, listing = int(found[1]), int(found[2]), False
        elif line.startswith("ERROR: Following operations are not supported"):
            listing = True
        elif listing and (found := _LEFT.match(line)):
            reasons.append(f"{found[1]}: {_NODE.sub('', found[2]) or 'no reason given'}")
        elif found := _REFUSED_LATER.match(line):
            reasons.append(found[1])
    return Acceleration(operators=taken, left=left, reasons=list(dict.fromkeys(reasons)))
