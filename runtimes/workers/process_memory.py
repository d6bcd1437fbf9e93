"""Memory of a process, as Linux counts it. Standard library only: workers import it by path."""

from pathlib import Path


def memory(field: str, pid: int | str = "self") -> int:
    """A field of /proc/PID/status in bytes, such as `VmRSS` (now) or `VmHWM` (the peak); 0 where it is not known.

    VmHWM starts anew when a program is executed, which the peak of getrusage(2) does not.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)
