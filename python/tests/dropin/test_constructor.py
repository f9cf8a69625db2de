"""The constructor: forms of the call, conversion of the arguments, the order of the checks, the audit event."""

import errno
import mmap as standard_mmap
import sys

import pytest
from arguments import Failing, Index

PAGE = standard_mmap.PAGESIZE
NEGATIVE_LENGTH = (OverflowError, "memory mapped length must be positive")
NEGATIVE_OFFSET = (OverflowError, "memory mapped offset must be positive")
BOTH = (ValueError, "mmap can't specify both access and flags, prot.")
INVALID_ACCESS = (ValueError, "mmap invalid access parameter.")
EMPTY = (ValueError, "cannot mmap an empty file")
C_INT = (OverflowError, "signed integer is greater than maximum")
C_INT_LOW = (OverflowError, "signed integer is less than minimum")
SSIZE = (OverflowError, "Python int too large to convert to C ssize_t")


def not_an_integer(name):
    return TypeError, f"'{name}' object cannot be interpreted as an integer"


# A file can only be named when the test runs: "file" stands for its descriptor.
FORMS = [
    pytest.param(("file", 4), {}, id="two positional"),
    pytest.param(("file",), {"length": 4}, id="length by keyword"),
    pytest.param((), {"fileno": "file", "length": 4}, id="all by keyword"),
    pytest.param((), {"length": 4, "fileno": "file"}, id="keywords in another order"),
    pytest.param(("file", 4, 1), {}, id="flags positional"),
    pytest.param(("file", 4, 1, 3), {}, id="prot positional"),
    pytest.param(("file", 4, 1, 3, 0), {}, id="access positional"),
    pytest.param(("file", 4, 1, 3, 0, 0), {}, id="offset positional"),
    pytest.param(("file", 4), {"flags": 1, "prot": 3}, id="flags and prot"),
    pytest.param(("file", 4), {"access": 1}, id="access"),
    pytest.param(("file", 4), {"offset": 0}, id="offset"),
    pytest.param(("file", 4), {"flags": 1, "access": 2}, id="the default flags beside access"),
    pytest.param(("file", 4), {"prot": 3, "access": 3}, id="the default prot beside access"),
    pytest.param(("file", True), {"access": True}, id="bool is an integer"),
    pytest.param(("file", Index(4)), {"access": Index(1), "offset": Index(0)}, id="__index__"),
]


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize(("args", "options"), FORMS)
def test_forms(mmap, make_file, args, options):
    with make_file(b"data").open("r+b") as file:
        args = [file.fileno() if arg == "file" else arg for arg in args]
        options = {name: file.fileno() if arg == "file" else arg for name, arg in options.items()}
        with mmap.mmap(*args, **options) as m:
            assert m[:] == b"data"[: len(m)]
            assert len(m) in (1, 4)


def test_class_method_new(mmap):
    assert len(mmap.mmap.__new__(mmap.mmap, -1, 10)) == 10


@pytest.mark.standard_since((3, 13), "trackfd is new")
@pytest.mark.parametrize("value", [True, False, 0, 1, "", "text", None, []])
def test_trackfd_takes_any_truth_value(mmap, make_file, value):
    with make_file(b"data").open("r+b") as file, mmap.mmap(file.fileno(), 0, trackfd=value) as m:
        assert m[:] == b"data"


@pytest.mark.standard_since((3, 13), "trackfd is new")
def test_trackfd_truth_value_may_fail(mmap, raises):
    class NoTruth:
        def __bool__(self):
            raise LookupError("from __bool__")

    with raises(LookupError, "from __bool__"):
        mmap.mmap(-1, 10, trackfd=NoTruth())


ARITY = [
    pytest.param((), {}, id="nothing"),
    pytest.param((-1,), {}, id="no length"),
    pytest.param((), {"length": 10}, id="no fileno"),
    pytest.param((-1, 10, 1, 3, 0, 0, True), {}, id="trackfd positional"),
    pytest.param((-1, 10, 1, 3, 0, 0, 0, 0), {}, id="too many"),
    pytest.param((-1, 10), {"fileno": -1}, id="fileno twice"),
    pytest.param((-1, 10), {"length": 10}, id="length twice"),
    pytest.param((-1, 10), {"tagname": None}, id="a name of Windows only"),
    pytest.param((-1, 10), {"unknown": 1}, id="unknown name"),
]


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize(("args", "options"), ARITY)
def test_wrong_number_or_name_of_arguments(mmap, args, options):
    with pytest.raises(TypeError) as caught:
        mmap.mmap(*args, **options)
    assert caught.type is TypeError


CONVERSION = [
    pytest.param(("1", 10), {}, not_an_integer("str"), id="fileno str"),
    pytest.param((1.0, 10), {}, not_an_integer("float"), id="fileno float"),
    pytest.param((None, 10), {}, not_an_integer("NoneType"), id="fileno None"),
    pytest.param((2**31, 10), {}, C_INT, id="fileno too large"),
    pytest.param((-(2**31) - 1, 10), {}, C_INT_LOW, id="fileno too small"),
    pytest.param((2**70, 10), {}, (OverflowError, "Python int too large to convert to C long"), id="fileno huge"),
    pytest.param((Failing(), 10), {}, (LookupError, "from __index__"), id="fileno fails"),
    pytest.param((-1, "10"), {}, not_an_integer("str"), id="length str"),
    pytest.param((-1, 10.0), {}, not_an_integer("float"), id="length float"),
    pytest.param((-1, None), {}, not_an_integer("NoneType"), id="length None"),
    pytest.param((-1, 2**63), {}, SSIZE, id="length too large"),
    pytest.param((-1, -(2**63) - 1), {}, SSIZE, id="length too small"),
    pytest.param((-1, Failing()), {}, (LookupError, "from __index__"), id="length fails"),
    pytest.param((-1, 10, "1"), {}, not_an_integer("str"), id="flags str"),
    pytest.param((-1, 10), {"flags": 2**31}, C_INT, id="flags too large"),
    pytest.param((-1, 10), {"prot": None}, not_an_integer("NoneType"), id="prot None"),
    pytest.param((-1, 10), {"prot": 2**31}, C_INT, id="prot too large"),
    pytest.param((-1, 10), {"access": 1.5}, not_an_integer("float"), id="access float"),
    pytest.param((-1, 10), {"access": -(2**31) - 1}, C_INT_LOW, id="access too small"),
    pytest.param((-1, 10), {"offset": "0"}, not_an_integer("str"), id="offset str"),
    pytest.param(
        (-1, 10), {"offset": 2**63}, (OverflowError, "Python int too large to convert to C long"), id="offset too large"
    ),
]


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.skipif(sys.maxsize < 2**32, reason="limits of 64-bit systems")
@pytest.mark.parametrize(("args", "options", "error"), CONVERSION)
def test_conversion(mmap, raises, args, options, error):
    with raises(*error):
        mmap.mmap(*args, **options)


# Each case has two arguments or more that are wrong; the error is that of the check that comes first.
ORDER = [
    pytest.param((-1, -1), {"access": "x"}, not_an_integer("str"), id="conversion before length"),
    pytest.param((2**31, "x"), {}, C_INT, id="fileno before length in conversion"),
    pytest.param((-1, 2**63), {"access": "x"}, SSIZE, id="length before access in conversion"),
    pytest.param((-1, 10), {"access": "x", "offset": None}, not_an_integer("str"), id="access before offset"),
    pytest.param((-1, -1), {"offset": -1}, NEGATIVE_LENGTH, id="length before offset"),
    pytest.param((-1, -1), {"access": 99}, NEGATIVE_LENGTH, id="length before access"),
    pytest.param((-1, 1), {"offset": -1, "access": 1, "flags": 2}, NEGATIVE_OFFSET, id="offset before both"),
    pytest.param((-1, 1), {"offset": -1, "access": 99}, NEGATIVE_OFFSET, id="offset before access"),
    pytest.param((-1, 1), {"access": 99, "flags": 2}, BOTH, id="both before access"),
    pytest.param((10**6, 1), {"access": 1, "prot": 1}, BOTH, id="both before the descriptor"),
    pytest.param((10**6, 1), {"access": 4}, INVALID_ACCESS, id="access before the descriptor"),
    pytest.param((-1, 0), {"access": 4}, INVALID_ACCESS, id="access before the system"),
]


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize(("args", "options", "error"), ORDER)
def test_order_of_checks(mmap, raises, args, options, error):
    with raises(*error):
        mmap.mmap(*args, **options)


@pytest.mark.parametrize("access", [-1, 4, 99])
def test_invalid_access(mmap, raises, access):
    with raises(*INVALID_ACCESS):
        mmap.mmap(-1, 10, access=access)


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("access", [1, 2, 3])
@pytest.mark.parametrize("options", [{"flags": 2}, {"prot": 1}, {"flags": 2, "prot": 1}, {"flags": 0}, {"prot": 0}])
def test_access_beside_flags_or_prot(mmap, raises, access, options):
    with raises(*BOTH):
        mmap.mmap(-1, 10, access=access, **options)


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("options", [{"flags": 2}, {"prot": 1}])
def test_default_access_beside_flags_or_prot(mmap, options):
    with mmap.mmap(-1, 10, access=mmap.ACCESS_DEFAULT, **options) as m:
        assert len(m) == 10


def test_empty_file_is_found_before_the_offset(mmap, make_file, raises):
    with make_file().open("r+b") as file, raises(*EMPTY):
        mmap.mmap(file.fileno(), 0, offset=PAGE)


@pytest.mark.unix("flags and prot are for Unix")
def test_size_is_checked_before_the_protection(mmap, make_file, raises):
    with make_file(b"data").open("rb") as file, raises(ValueError, "mmap length is greater than file size"):
        mmap.mmap(file.fileno(), 5)


def test_size_is_checked_before_the_alignment(mmap, make_file, raises):
    with make_file(b"data").open("r+b") as file, raises(ValueError, "mmap offset is greater than file size"):
        mmap.mmap(file.fileno(), 0, offset=PAGE - 1)


@pytest.mark.unix("the numbers and texts of errors are those of Unix")
@pytest.mark.parametrize("length", [0, -0])
def test_anonymous_of_no_length(mmap, raises_os_error, length):
    with raises_os_error(errno.EINVAL):
        mmap.mmap(-1, length)


@pytest.mark.unix("offsets are multiples of ALLOCATIONGRANULARITY, which is a page on Unix")
def test_anonymous_offset(mmap, raises_os_error):
    with mmap.mmap(-1, 10, offset=PAGE) as m:
        assert repr(m) == f"<mmap.mmap closed=False, access=ACCESS_DEFAULT, length=10, pos=0, offset={PAGE}>"
    with raises_os_error(errno.EINVAL):
        mmap.mmap(-1, 10, offset=1)


@pytest.mark.unix("flags and prot are for Unix")
def test_flags_must_name_a_kind_of_map(mmap, raises_os_error):
    with raises_os_error(errno.EINVAL):
        mmap.mmap(-1, 10, flags=0)


@pytest.mark.unix("the numbers and texts of errors are those of Unix")
@pytest.mark.skipif(sys.maxsize < 2**32, reason="the length must fit, and be more than any system has")
def test_more_memory_than_there_is(mmap, raises_os_error):
    with raises_os_error(errno.ENOMEM):
        mmap.mmap(-1, 2**62)
