"""Maps made without the right to read: an exception where the standard module kills the process."""

import subprocess
import sys

import pytest

CODE = """
import sys
from faultless import mmap

m = mmap.mmap(-1, 4096, prot={prot})
try:
    {call}
except (OSError, ValueError, TypeError, BufferError) as error:
    print(type(error).__name__)
assert (len(m), m.tell(), m.closed) == (4096, 0, False)
m.close()
assert m.closed
print("done")
"""

CALLS = [
    "m[0]",
    "m[:]",
    "m[::2]",
    "m.read()",
    "m.read_byte()",
    "m.readline()",
    "m.find(b'x')",
    "m.rfind(b'x')",
    "next(iter(m))",
    "next(reversed(m))",
    "b'x' in m",
    "bytes(m)",
    "sys.stdout.buffer.write(m)",
]


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("prot", ["0", "mmap.PROT_EXEC"])
@pytest.mark.parametrize("call", CALLS)
def test_reading_is_an_error(call, prot):
    code = CODE.format(prot=prot, call=call)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout.splitlines()[-2:] in (
        [kind, "done"] for kind in ("OSError", "PermissionError", "ValueError", "TypeError", "BufferError")
    )
