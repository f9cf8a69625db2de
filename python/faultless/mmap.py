"""The standard module `mmap` as it is in Python 3.15, on every Python from 3.11.

The constants are those that the system has.
"""

from faultless import _native

mmap = _native.mmap
error = OSError
globals().update((name, value) for name, value in vars(_native).items() if name.isupper())

del _native
