"""Two processes count together in memory that they find by a name.

python examples/shared_memory.py
"""

import os
import struct
import subprocess
import sys

import faultless

COUNTERS = struct.Struct("<QQ")


def other(name: str) -> None:
    """What the second process does: copy the first counter to the second one, doubled."""
    with faultless.shared(name, create=False) as memory:
        first, _ = COUNTERS.unpack_from(memory)
        COUNTERS.pack_into(memory, 0, first, 2 * first)


def main() -> None:
    name = f"faultless-example-{os.getpid()}"
    with faultless.shared(name, COUNTERS.size, create=True) as memory:
        try:
            for turn in range(1, 4):
                COUNTERS.pack_into(memory, 0, turn, 0)
                subprocess.run([sys.executable, __file__, name], check=True)
                first, second = COUNTERS.unpack_from(memory)
                assert (first, second) == (turn, 2 * turn)
                print(f"this process wrote {first}, the other one answered {second}")
        finally:
            faultless.unlink_shared(name)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        other(sys.argv[1])
    else:
        main()
