"""The method `array` of maps."""

from __future__ import annotations

import math
from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultless._native import mmap


def array(
    m: mmap,
    dtype: Any = "u1",
    shape: SupportsIndex | Iterable[SupportsIndex] | None = None,
    offset: SupportsIndex = 0,
) -> Any:
    """A NumPy array of a map's memory. Under it is a memoryview, which holds the map open."""
    try:
        import numpy
    except ImportError as error:
        raise ImportError("mmap.array needs NumPy, which cannot be imported: pip install numpy") from error

    kind = numpy.dtype(dtype)
    if kind.hasobject:
        raise TypeError(f"items of {kind!r} refer to objects of this process, which no map can have")
    start = index(offset)
    view = memoryview(m)
    try:
        lengths = _fit(kind, shape, start, view.nbytes)
        # numpy.ndarray(buffer=view) would look through the view, and hold the map without its memory.
        flat = numpy.frombuffer(view, kind, math.prod(lengths), start)
        return flat if len(lengths) == 1 else flat.reshape((*lengths, *kind.shape))
    except BaseException:
        # The traceback would keep it, and with it the map open.
        view.release()
        raise


def _fit(kind: Any, shape: Any, start: int, end: int) -> tuple[int, ...]:
    """The shape, checked against the bytes from start to end; -1 becomes a number, and None is (-1,)."""
    if kind.itemsize == 0:
        raise ValueError(f"items of {kind!r} have no bytes: the dtype needs a length")
    if start < 0:
        raise ValueError(f"the offset must not be negative, as {start} is")
    if start > end:
        raise IndexError(f"offset {start} is past the end of the map of {end} bytes")
    try:
        lengths = [-1 if shape is None else index(shape)]
    except TypeError:
        lengths = [index(length) for length in shape]
    if lengths.count(-1) > 1 or min(lengths, default=0) < -1:
        raise ValueError(f"a shape has lengths from 0 on, and at most one -1, unlike {tuple(lengths)}")
    size = math.prod(length for length in lengths if length != -1) * kind.itemsize
    if -1 in lengths:
        if size == 0 or (end - start) % size:
            raise ValueError(f"the {end - start} bytes from offset {start} on are no multiple of {size}")
        lengths[lengths.index(-1)] = (end - start) // size
    elif size > end - start:
        raise ValueError(f"shape {tuple(lengths)} takes {size} bytes: from offset {start} on there are {end - start}")
    return tuple(lengths)
