"""faultless.shared() and faultless.unlink_shared()."""

import contextlib
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import faultless
import faultless.mmap

PAGE = faultless.mmap.PAGESIZE
COUNT = itertools.count()


@pytest.fixture
def name():
    """A name that nobody else has, taken away in the end."""
    name = f"faultless-test-{os.getpid()}-{next(COUNT)}"
    yield name
    with contextlib.suppress(FileNotFoundError):
        faultless.unlink_shared(name)


def test_those_who_know_the_name_see_the_same_bytes(name):
    with faultless.shared(name, 100, create=True) as made, faultless.shared(name) as found:
        assert isinstance(made, faultless.mmap.mmap)
        assert made[:] == bytes(100)
        made[3:8] = b"hello"
        assert found[3:8] == b"hello"
        found[99] = 7
        assert made[99] == 7


def test_another_process_sees_it_and_is_seen(name):
    script = """
import sys
import faultless
with faultless.shared(sys.argv[1], create=False) as m:
    assert m[:5] == b"hello", m[:5]
    m[5:10] = b"world"
"""
    with faultless.shared(name, PAGE + 1, create=True) as m:
        m[:5] = b"hello"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, name], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert m[:10] == b"helloworld"


def test_what_must_be_new(name):
    with faultless.shared(name, 10, create=True) as m:
        m[0] = 7
        with pytest.raises(FileExistsError) as caught:
            faultless.shared(name, 10, create=True)
        assert caught.value.filename == name
        assert m[0] == 7


@pytest.mark.parametrize("length", [0, 10])
def test_what_must_be_there(name, length):
    with pytest.raises(FileNotFoundError) as caught:
        faultless.shared(name, length, create=False)
    assert caught.value.filename == name
    with pytest.raises(FileNotFoundError):
        faultless.shared(name, create=False)


def test_either(name):
    with faultless.shared(name, 10) as m:
        m[:] = b"0123456789"
        with faultless.shared(name, 10) as again, faultless.shared(name, 4, create=None) as part:
            assert again[:] == b"0123456789"
            assert part[:] == b"0123"


@pytest.mark.parametrize("create", [True, None])
def test_new_memory_needs_a_length(name, create):
    with pytest.raises(ValueError, match="needs a length"):
        faultless.shared(name, create=create)
    with pytest.raises(FileNotFoundError):
        faultless.shared(name, create=False)


def test_more_than_there_is(name):
    with faultless.shared(name, PAGE, create=True) as m:
        # A ValueError, or what the system says.
        with pytest.raises((ValueError, OSError)):
            faultless.shared(name, 5 * PAGE)
        assert len(m) == PAGE


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "/a", "a\\b", "a\0b", "x" * 1000])
def test_names_that_no_memory_can_have(bad):
    for call in (lambda: faultless.shared(bad, 10), lambda: faultless.unlink_shared(bad)):
        with pytest.raises(ValueError, match="name"):
            call()


def test_arguments():
    with pytest.raises(TypeError):
        faultless.shared(b"name", 10)
    with pytest.raises(TypeError):
        faultless.shared("name", 10, True)
    with pytest.raises(OverflowError):
        faultless.shared("name", -1)
    with pytest.raises(TypeError):
        faultless.unlink_shared(7)


@pytest.mark.skipif(sys.platform == "win32", reason="there a name goes away with its last map")
def test_the_name_is_taken_away_and_the_memory_stays(name):
    faultless.shared(name, 10, create=True).close()
    with faultless.shared(name, create=False) as m:
        m[0] = 7
        faultless.unlink_shared(name)
        assert m[0] == 7
        with pytest.raises(FileNotFoundError):
            faultless.shared(name, create=False)
        with pytest.raises(FileNotFoundError) as caught:
            faultless.unlink_shared(name)
        assert caught.value.filename == name
        with faultless.shared(name, 10, create=True) as other:
            assert other[:] == bytes(10)


ROOT = Path(__file__).parents[2]
PAGE_OF_DOCUMENTATION = (ROOT / "docs" / "shared-memory.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE_OF_DOCUMENTATION, re.MULTILINE | re.DOTALL)


def test_the_documentation_has_an_example():
    assert EXAMPLES


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_documentation_keeps_its_word(number):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLES[number]], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_runs():
    script = ROOT / "examples" / "shared_memory.py"
    done = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"this process wrote {turn}, the other one answered {2 * turn}" for turn in (1, 2, 3)
    ]
