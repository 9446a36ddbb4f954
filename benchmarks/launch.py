"""Run one command and print what it took, as one JSON line; its own output goes nowhere.

Linux counts the memory of whoever forks a process as the child's own peak. So a benchmark, which may hold a fleet, does
not start what it measures: this small program does. Arguments: the core to stay on, then the command.

Must not: import anything large.
"""

import json
import os
import subprocess
import sys
import time


def main(core: int, command: list[str]) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    figures = {
        "wall_s": time.perf_counter() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,
        "code": os.waitstatus_to_exitcode(status),
        "told": told.decode(errors="replace")[-2000:],
    }
    print(json.dumps(figures))


main(int(sys.argv[1]), sys.argv[2:])
