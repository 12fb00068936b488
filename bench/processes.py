"""What a process costs, out of /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time, in seconds or in per cent of a core: the program's own, and the kernel's for it."""

    user: float
    system: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.user + self.system

    def since(self, before: Self) -> "Cpu":
        """What has been used since `before`."""
        return Cpu(self.user - before.user, self.system - before.system)

    def percent(self, seconds: float) -> "Cpu":
        """Seconds of CPU out of `seconds`, in per cent."""
        return Cpu(100 * self.user / seconds, 100 * self.system / seconds)


def cpu(pid: int) -> Cpu:
    """CPU seconds of all threads of a process so far, also of those that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return Cpu(int(fields[11]) / _TICKS_A_SECOND, int(fields[12]) / _TICKS_A_SECOND)  # utime, stime: proc(5)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of all threads of a process so far, to the nanosecond: /proc rounds to 10 ms."""
    # CPUCLOCK_SCHED of a process: what clock_getcpuclockid(3) makes of a pid (linux/posix-timers.h)
    return time.clock_gettime(~pid << 3 | 2)


def resident_mb(pid: int) -> float:
    """Resident memory of a process now, in units of 1024 * 1024 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
