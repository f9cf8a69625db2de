"""A log that survives its program: programs that are killed while they log, and what is found afterwards.

python examples/crash_log.py
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faultless


def work(path: str, name: str) -> None:
    """Appends as fast as it can, and says on its output how far it has come."""
    log = faultless.AppendLog(path)
    for n in range(1, sys.maxsize):
        log.append(f"{name}: record {n}".encode())
        if n % 1000 == 0:
            os.write(1, f"{n}\n".encode())


def main() -> int:
    if len(sys.argv) == 3:
        work(*sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        workers = {
            name: subprocess.Popen([sys.executable, __file__, path, name], stdout=subprocess.PIPE)
            for name in ("one", "two")
        }
        acknowledged = {}
        for name, worker in workers.items():
            assert worker.stdout is not None
            worker.stdout.readline()
            time.sleep(0.05)
            worker.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
            lines = worker.communicate()[0].split()
            acknowledged[name] = int(lines[-1]) if lines else 1000

        found = dict.fromkeys(workers, 0)
        for _, record in faultless.LogReader(path):
            name, _, number = record.decode().partition(": record ")
            # In order, and none missing.
            assert int(number) == found[name] + 1
            found[name] += 1
        for name, count in acknowledged.items():
            print(f"{name}: killed after it had said {count:,}; {found[name]:,} records found, all whole")
            assert found[name] >= count
    return 0


if __name__ == "__main__":
    sys.exit(main())
