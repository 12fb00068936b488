"""pyroute2's own conntrack dump once a second, as a process of its own.

    python -m bench.compare.dumping SECONDS

Prints a JSON line after the first dump and one at the end: flows of the last dump, seconds of CPU and of time since the
first line, the longest dump, resident memory.
"""

import json
import os
import sys
import time

from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket

from bench.processes import resident_mb


def _run(seconds: float) -> None:
    with NFCTSocket(0) as socket:
        flows = sum(1 for _ in socket.dump())
        print(json.dumps({"flows": flows}), flush=True)
        began_s, before_s = time.perf_counter(), time.process_time()
        longest_s = 0.0
        while (start_s := time.perf_counter()) < began_s + seconds:
            flows = len(list(socket.dump()))
            took_s = time.perf_counter() - start_s
            longest_s = max(longest_s, took_s)
            time.sleep(max(0.0, 1 - took_s))
        result = {
            "flows": flows,
            "cpu_s": time.process_time() - before_s,
            "seconds": time.perf_counter() - began_s,
            "longest_s": longest_s,
            "memory_mb": resident_mb(os.getpid()),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    _run(float(sys.argv[1]))
