"""The exception for a page that failed."""

from __future__ import annotations

import errno
from typing import Any


class FaultError(OSError):
    """A page of a map failed while it was used.

    `offset` is where in the map, in bytes; `reason` is "truncated", "io", "no space" or "hardware"; `filename` is the
    file, where it is known. What was being read is not to be had, and what was being written may be lost. When the
    file is whole again, so is the map.

    >>> FaultError("the file was truncated", 8192, "truncated", "data.bin").offset
    8192
    """

    offset: int
    reason: str

    def __init__(self, message: str, offset: int, reason: str, filename: str | bytes | None = None) -> None:
        super().__init__(errno.ENOSPC if reason == "no space" else errno.EIO, message, filename)
        self.offset = offset
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.strerror, self.offset, self.reason, self.filename)


# Its users know it by this name, in tracebacks and in pickles.
FaultError.__module__ = "faultless"
