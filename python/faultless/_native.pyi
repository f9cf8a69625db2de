import os
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self, SupportsIndex, overload

from _typeshed import ReadableBuffer
from typing_extensions import disjoint_base

ACCESS_DEFAULT: Final[int]
ACCESS_READ: Final[int]
ACCESS_WRITE: Final[int]
ACCESS_COPY: Final[int]
PAGESIZE: Final[int]
ALLOCATIONGRANULARITY: Final[int]

if sys.platform != "win32":
    PROT_EXEC: Final[int]
    PROT_READ: Final[int]
    PROT_WRITE: Final[int]
    MAP_SHARED: Final[int]
    MAP_PRIVATE: Final[int]
    MAP_ANON: Final[int]
    MAP_ANONYMOUS: Final[int]
    MS_INVALIDATE: Final[int]
    MS_ASYNC: Final[int]
    MS_SYNC: Final[int]
    MADV_NORMAL: Final[int]
    MADV_RANDOM: Final[int]
    MADV_SEQUENTIAL: Final[int]
    MADV_WILLNEED: Final[int]
    MADV_DONTNEED: Final[int]
    MADV_FREE: Final[int]

if sys.platform == "linux":
    MAP_DENYWRITE: Final[int]
    MAP_EXECUTABLE: Final[int]
    MAP_POPULATE: Final[int]
    MAP_STACK: Final[int]
    MAP_NORESERVE: Final[int]
    MAP_32BIT: Final[int]
    MADV_REMOVE: Final[int]
    MADV_DONTFORK: Final[int]
    MADV_DOFORK: Final[int]
    MADV_HWPOISON: Final[int]
    MADV_MERGEABLE: Final[int]
    MADV_UNMERGEABLE: Final[int]
    MADV_HUGEPAGE: Final[int]
    MADV_NOHUGEPAGE: Final[int]
    MADV_DONTDUMP: Final[int]
    MADV_DODUMP: Final[int]

if sys.platform == "darwin":
    MAP_NORESERVE: Final[int]
    MAP_NOEXTEND: Final[int]
    MAP_HASSEMAPHORE: Final[int]
    MAP_NOCACHE: Final[int]
    MAP_JIT: Final[int]
    MAP_RESILIENT_CODESIGN: Final[int]
    MAP_RESILIENT_MEDIA: Final[int]
    MAP_32BIT: Final[int]
    MAP_TRANSLATED_ALLOW_EXECUTE: Final[int]
    MAP_UNIX03: Final[int]
    MAP_TPRO: Final[int]
    MADV_FREE_REUSABLE: Final[int]
    MADV_FREE_REUSE: Final[int]

@disjoint_base
class mmap:
    def __new__(
        cls,
        fileno: int,
        length: SupportsIndex,
        flags: int = ...,
        prot: int = ...,
        access: int = ...,
        offset: int = ...,
        *,
        trackfd: bool = True,
    ) -> Self: ...
    @property
    def closed(self) -> bool: ...
    @property
    def fault(self) -> tuple[int, str] | None: ...
    @property
    def guarded(self) -> bool: ...
    @property
    def private_fallback(self) -> bool: ...
    def close(self) -> None: ...
    def find(
        self,
        view: ReadableBuffer,
        start: SupportsIndex | None = None,
        end: SupportsIndex | None = None,
        /,
        *,
        threads: SupportsIndex = 1,
    ) -> int: ...
    def rfind(
        self,
        view: ReadableBuffer,
        start: SupportsIndex | None = None,
        end: SupportsIndex | None = None,
        /,
        *,
        threads: SupportsIndex = 1,
    ) -> int: ...
    def flush(self, offset: SupportsIndex = 0, size: SupportsIndex = -1, /, *, flags: int = 0) -> None: ...
    def madvise(self, option: int, start: SupportsIndex = 0, length: SupportsIndex | None = None, /) -> None: ...
    def move(self, dest: SupportsIndex, src: SupportsIndex, count: SupportsIndex, /) -> None: ...
    def read(self, n: SupportsIndex | None = None, /) -> bytes: ...
    def read_byte(self) -> int: ...
    def readline(self) -> bytes: ...
    def resize(self, newsize: SupportsIndex, /) -> None: ...
    def seek(self, pos: SupportsIndex, whence: int = 0, /) -> int: ...
    def seekable(self) -> bool: ...
    def set_name(self, name: str, /) -> None: ...
    def size(self) -> int: ...
    def tell(self) -> int: ...
    def write(self, bytes: ReadableBuffer, /) -> int: ...
    def write_byte(self, byte: SupportsIndex, /) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> bytes: ...
    @overload
    def __setitem__(self, key: SupportsIndex, value: SupportsIndex, /) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: ReadableBuffer, /) -> None: ...
    def __delitem__(self, key: SupportsIndex | slice, /) -> None: ...
    # Iteration goes through the sequence protocol, which has no method of its own here.
    def __iter__(self) -> Iterator[bytes]: ...
    def __contains__(self, item: object, /) -> bool: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __release_buffer__(self, buffer: memoryview, /) -> None: ...

def open(path: str | os.PathLike[str], mode: str = "r", *, offset: int = 0, length: int | None = None) -> mmap: ...
def shared(name: str, length: int = 0, *, create: bool | None = None) -> mmap: ...
def unlink_shared(name: str, /) -> None: ...
def set_guard(on: bool) -> bool: ...
def ensure_guard() -> bool: ...
