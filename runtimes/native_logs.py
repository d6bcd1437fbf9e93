"""What native libraries write to a worker's stderr: why a process failed, and what an accelerator left on the CPU."""

import re

from ..core.records.inspection import Refusal
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
    "└ ERROR: [",
    "Error: ERROR: [",
    "third_party/",
)
_MOST = 400
# What stands before a line: Abseil's severity, time and thread, or a level.
_PREFIX = re.compile(r"^(?:[EF]\d{4} [\d:.]+ +\d+ (?=\S+:\d+\])|WARNING: )")
# An accelerator says why it gives up.
_COMPLAINT = re.compile(
    r"^(?:F\d{4} |(?:E\d{4} [\d:.]+ +\d+ |ERROR: \[)\w*(?:delegate|gpu)\w*\.cc:|WARNING: Attempting to use a delegate)"
)
_SPLIT = re.compile(
    r"^(No|\d+) operations will run on the GPU, and (?:the remaining|all) (\d+) operations will run on the CPU"
)
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
    complaints = [line for line in lines if _COMPLAINT.match(line) and not _REFUSED_LATER.match(line)]
    lines = [line for line in lines if line and not line.startswith(_NOISE) and not _SPLIT.match(line)]
    lines = [line for line in lines if not _REFUSED_LATER.match(line)] or lines
    told = dict.fromkeys([complaints[0], lines[-1]] if complaints else lines[-2:])
    said, how = (
        " | ".join(_PREFIX.sub("", line) for line in told),
        f"signal {-code}" if code < 0 else f"exit status {code}",
    )
    if len(said) > _MOST:
        said = _PREFIX.sub("", complaints[0] if complaints else lines[-1])[:_MOST]
    return f"{how}: {said}" if said else how


def acceleration(log: str, *, is_whole: bool) -> Acceleration:
    """What LiteRT's GPU accelerator took of a graph, in its own words; of several graphs, of those that it left a part of.

    Args:
        log: the worker's stderr.
        is_whole: whether the compiled model called itself fully accelerated.
    """
    splits = [found for line in log.splitlines() if (found := _SPLIT.match(line.strip()))]
    taken = sum(0 if split[1] == "No" else int(split[1]) for split in splits) if splits else None
    left = sum(int(split[2]) for split in splits) if splits else 0 if is_whole else None
    return Acceleration(operators=taken, left=left, reasons=[str(refusal) for refusal in refusals(log)])


def refusals(log: str) -> list[Refusal]:
    """What LiteRT's GPU accelerator did not take, by its log, each once."""
    found, listing = [], False
    for line in map(str.strip, log.splitlines()):
        if _SPLIT.match(line):
            listing = False
        elif line.startswith("ERROR: Following operations are not supported"):
            listing = True
        elif listing and (left := _LEFT.match(line)):
            found.append(Refusal(left[1], _NODE.sub("", left[2]) or "no reason given"))
        elif later := _REFUSED_LATER.match(line):
            found.append(Refusal(None, later[1]))
    return list(dict.fromkeys(found))
