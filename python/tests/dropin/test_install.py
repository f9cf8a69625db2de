"""faultless.install() and uninstall(): who imports `mmap` afterwards."""

import subprocess
import sys
import types

import pytest

import faultless
import faultless.mmap


@pytest.fixture
def module_table():
    """Whatever a test does to sys.modules["mmap"], the other tests do not see it."""
    before = sys.modules["mmap"]
    yield sys.modules
    faultless.uninstall()
    sys.modules["mmap"] = before


def import_mmap():
    import mmap

    return mmap


def test_install(module_table):
    standard = import_mmap()
    assert standard is not faultless.mmap
    assert faultless.install() is None
    assert module_table["mmap"] is faultless.mmap
    assert import_mmap() is faultless.mmap
    from mmap import ACCESS_READ, mmap

    assert (mmap, ACCESS_READ) == (faultless.mmap.mmap, 1)
    assert faultless.uninstall() is None
    assert module_table["mmap"] is standard
    assert import_mmap() is standard


def test_install_twice(module_table):
    standard = import_mmap()
    faultless.install()
    faultless.install()
    assert import_mmap() is faultless.mmap
    faultless.uninstall()
    assert import_mmap() is standard
    faultless.uninstall()
    assert import_mmap() is standard


def test_uninstall_without_install(module_table):
    standard = import_mmap()
    faultless.uninstall()
    assert import_mmap() is standard


def test_install_again(module_table):
    for _ in range(3):
        faultless.install()
        assert import_mmap() is faultless.mmap
        faultless.uninstall()
        assert import_mmap() is not faultless.mmap


def test_uninstall_restores_what_was_there(module_table):
    other = types.ModuleType("mmap")
    module_table["mmap"] = other
    faultless.install()
    assert import_mmap() is faultless.mmap
    faultless.uninstall()
    assert import_mmap() is other


def test_install_before_the_standard_module_is_imported(module_table):
    del module_table["mmap"]
    faultless.install()
    assert import_mmap() is faultless.mmap
    faultless.uninstall()
    restored = import_mmap()
    assert restored is not faultless.mmap
    assert restored.mmap is not faultless.mmap.mmap


def test_installed_module_serves_other_modules():
    """A fresh interpreter: what is imported afterwards works with ours, here the heap of multiprocessing."""
    code = """
import faultless
faultless.install()
from multiprocessing import heap
import faultless.mmap
arena = heap.Arena(10000)
assert type(arena.buffer) is faultless.mmap.mmap, type(arena.buffer)
arena.buffer[9999] = 5
assert memoryview(arena.buffer)[9999] == 5
print("done")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr, result.returncode) == ("done\n", "", 0)
