"""The audit event of the constructor."""

import mmap as standard_mmap
import sys

import pytest

PAGE = standard_mmap.PAGESIZE


class Hook:
    """An audit hook stays for ever: one is added, and it works only while a test listens."""

    def __init__(self):
        self.listener = None
        sys.addaudithook(self.audit)

    def audit(self, event, args):
        if self.listener is not None and event.startswith("mmap."):
            self.listener(event, args)


@pytest.fixture(scope="module")
def hook():
    return Hook()


@pytest.fixture
def listen(hook):
    """Return a function that sets the listener; it is taken away at the end."""

    def start(listener):
        hook.listener = listener

    yield start
    hook.listener = None


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize(
    ("length", "options", "expected"),
    [
        (10, {}, (-1, 10, 0, 0)),
        (10, {"access": 1}, (-1, 10, 1, 0)),
        (10, {"access": 2}, (-1, 10, 2, 0)),
        (10, {"access": 3}, (-1, 10, 3, 0)),
        (10, {"prot": 1}, (-1, 10, 1, 0)),
        (10, {"prot": 2}, (-1, 10, 2, 0)),
        (10, {"prot": 4}, (-1, 10, 1, 0)),
        (PAGE, {"offset": PAGE}, (-1, PAGE, 0, PAGE)),
    ],
)
def test_event(mmap, listen, length, options, expected):
    events = []
    listen(lambda event, args: events.append((event, args)))
    mmap.mmap(-1, length, **options).close()
    assert events == [("mmap.__new__", expected)]


def test_event_of_a_file(mmap, listen, make_file):
    events = []
    with make_file(b"data").open("r+b") as file:
        listen(lambda event, args: events.append((event, args)))
        mmap.mmap(file.fileno(), 0).close()
        assert events == [("mmap.__new__", (file.fileno(), 0, 0, 0))]


def test_event_comes_before_the_descriptor_is_looked_at(mmap, listen, raises_os_error):
    events = []
    listen(lambda event, args: events.append((event, args)))
    with raises_os_error(9):
        mmap.mmap(10**6, 10)
    assert events == [("mmap.__new__", (10**6, 10, 0, 0))]


def test_event_comes_before_the_size_is_checked(mmap, listen, make_file, raises):
    events = []
    with make_file().open("r+b") as file:
        listen(lambda event, args: events.append((event, args)))
        with raises(ValueError, "cannot mmap an empty file"):
            mmap.mmap(file.fileno(), 0)
        assert events == [("mmap.__new__", (file.fileno(), 0, 0, 0))]


@pytest.mark.unix("flags and prot are for Unix")
@pytest.mark.parametrize("options", [{"access": 9}, {"access": 1, "flags": 2}, {"offset": -1}])
def test_no_event_when_an_argument_is_wrong(mmap, listen, options):
    events = []
    listen(lambda event, args: events.append((event, args)))
    with pytest.raises((ValueError, OverflowError)):
        mmap.mmap(-1, 10, **options)
    assert events == []


def test_hook_may_refuse(mmap, listen, raises):
    def refuse(event, args):
        raise PermissionError(f"refused {event}")

    listen(refuse)
    with raises(PermissionError, "refused mmap.__new__"):
        mmap.mmap(-1, 10)
